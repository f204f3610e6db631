// DAP's base protocol: header fields, an empty line, a JSON body (DAP, "Base protocol").
//
// FrameReader is fed bytes as they come and gives whole bodies back. A length is checked before memory is taken for
// it. It does no I/O, keeps no clock, and is used by one thread. After an error it must not be used again.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dap/error.hpp"

namespace dap {

/// Requests from clients are small; a larger one is an error or an attack.
inline constexpr std::size_t max_client_body = 16U << 20;
/// Answers of a worker may be large: variables, sources, modules.
inline constexpr std::size_t max_worker_body = 512U << 20;

class FrameReader {
  public:
    /// `max_body`: the largest body in bytes that is accepted.
    explicit FrameReader(std::size_t max_body) : m_max_body(max_body) {}

    /// Takes the next bytes of the stream.
    void feed(std::string_view bytes);

    /// The next whole body; nothing while bytes are missing.
    /// Errors: not_dap as soon as a header line cannot become a DAP header field (an HTTP request is refused at its
    /// first byte, so that a web page cannot drive the port); invalid_message for a missing, repeated, malformed or
    /// too large Content-Length.
    Result<std::optional<std::string>> next();

  private:
    Result<bool> read_header();
    Result<bool> read_field(std::string_view line);

    std::size_t m_max_body;
    std::string m_buffer;
    std::size_t m_at = 0;  ///< everything before it is consumed
    std::size_t m_header_size = 0;
    std::optional<std::size_t> m_length;
    bool m_in_body = false;
};

/// The header for a body of `size` bytes.
std::string frame_header(std::size_t size);

}  // namespace dap

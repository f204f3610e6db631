// A blocking TCP socket that carries DAP frames, for both ends of the wire tests: it shares no code with what it tests.
//
// One thread may read while another writes. What does not happen before its deadline throws std::runtime_error, which
// fails the test that waited.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace wire {

/// How long anything may take before a test fails; generous, since sanitizers and shared machines are slow.
inline constexpr std::chrono::milliseconds patience{20000};

using Clock = std::chrono::steady_clock;

std::string frame(std::string_view body);

/// Parses a body; lone surrogates, which nlohmann_json refuses, become U+FFFD. An empty object where it is no JSON
/// object.
nlohmann::json read_json(std::string text);

class FramedSocket {
  public:
    /// Takes over a connected socket.
    explicit FramedSocket(int socket);
    /// Connects to 127.0.0.1:`port`. `receive_buffer`: what the system may keep for us, in bytes; 0: its default.
    static int connect(std::uint16_t port, int receive_buffer = 0);
    ~FramedSocket();
    FramedSocket(const FramedSocket&) = delete;
    FramedSocket& operator=(const FramedSocket&) = delete;

    /// Sends all bytes. False once the other side is gone.
    bool send(std::string_view bytes);
    /// Bytes that send() could hand to the system so far. Thread-safe.
    std::size_t sent() const { return m_sent; }

    /// The next body; nothing at the end of the stream, be it orderly or not.
    std::optional<std::string> read_body(Clock::time_point deadline);
    /// Reads at most this much at once from now on.
    void read_slowly(std::size_t at_most) { m_chunk = at_most; }
    /// Waits until something can be read, and leaves it there.
    void wait_readable(Clock::time_point deadline) const;

    /// No more is sent; reading goes on.
    void half_close();
    /// Ends both directions; wakes a thread that reads or writes. Thread-safe.
    void shut_down();
    /// Closes with a reset, as a process that is killed with data unread does.
    void reset();

  private:
    int m_socket;
    std::size_t m_chunk = 256U << 10;
    std::string m_buffer;
    std::size_t m_at = 0;
    std::atomic<std::size_t> m_sent = 0;
};

}  // namespace wire

// The few top-level fields of a DAP message that routing needs, found without building a DOM.
//
// Bodies are forwarded as bytes: only `seq` and `request_seq` are replaced, in place. Pure functions; the Envelope
// holds offsets into the body it was scanned from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dap/error.hpp"

namespace dap {

enum class MessageType { request, response, event };

struct Envelope {
    /// Where a value stands in the body; empty where the field is missing.
    struct Span {
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    MessageType type = MessageType::event;
    std::int64_t seq = 0;
    std::int64_t request_seq = 0;  ///< responses only
    bool success = false;          ///< responses only
    std::string name;              ///< `command` of requests and responses, `event` of events
    Span seq_span;
    Span request_seq_span;
    std::size_t first_member = 0;  ///< offset right after the opening brace
};

/// Scans `body`. It must be a JSON object; nested values are skipped, not checked.
/// Errors: invalid_message where it is no object, `type`, `seq` or the name is missing, of the wrong type, given
/// twice, or spelled with escapes (two readers must never disagree on what a message is).
Result<Envelope> scan_envelope(std::string_view body);

/// `body` with `seq` replaced, and `request_seq` too for a response.
std::string with_seq(std::string_view body, const Envelope& envelope, std::int64_t seq, std::int64_t request_seq = 0);

}  // namespace dap

// Errors a user may meet, as values.
//
// Every code has one row in the table of error.cpp: a unique id, whether the editor should show it, and a
// page that helps where there is one. Messages are composed where the facts are known, and say what to do next.
// Cancelled, timed out and closed by the peer are three different codes. Values are immutable and thread-safe.
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>
#include <nlohmann/json_fwd.hpp>

namespace dap {

enum class ErrorCode : int {
    not_dap,                 ///< the first line is not a DAP header: another protocol
    invalid_message,         ///< a message that breaks DAP's base protocol or is not valid JSON
    invalid_request,         ///< a request that is not allowed in the session's present state
    invalid_arguments,       ///< attach arguments that the schema refuses
    forbidden_argument,      ///< attach arguments that would reach past the worker
    unauthorized,            ///< the bridge's own token is missing or wrong
    no_such_target,          ///< nothing that the dashboard reports matches
    ambiguous_target,        ///< several workers match where one is needed
    nothing_paused,          ///< no worker paused within `wait`
    target_in_session,       ///< another session of this bridge has the worker
    worker_unreachable,      ///< no TCP connection to the worker's debug port
    worker_busy,             ///< another debugger is attached to the worker directly
    worker_refused,          ///< debugpy answered a request of the handshake with an error
    worker_lost,             ///< the worker or its debug adapter went away
    dashboard_unreachable,   ///< no answer from the Ray dashboard
    dashboard_unauthorized,  ///< the Ray dashboard wants a token, or another one
    dashboard_invalid,       ///< what answers at the dashboard's address is not a Ray dashboard
    bridge_unreachable,      ///< no ray-dap serves at the given address
    cancelled,               ///< the client cancelled the request
    timed_out,               ///< no answer within the deadline
    closed_by_peer,          ///< the other side closed the connection
};

/// What is known about a code without its circumstances.
struct ErrorInfo {
    ErrorCode code;
    int id;                 ///< DAP `Message.id`; never reused
    std::string_view name;  ///< stable, for logs and scripts
    bool show_user;         ///< DAP `Message.showUser`
    std::string_view url;   ///< empty where no page helps
};

/// The row of `code`. Never fails.
const ErrorInfo& error_info(ErrorCode code);
/// All rows, for tests and documentation.
const std::vector<ErrorInfo>& all_errors();

/// One error with its circumstances. `message` is a sentence that says what happened and what to do next.
struct Error {
    ErrorCode code;
    std::string message;
};

/// The body of a DAP error response: `{error: {id, format, showUser, url?}}` (DAP, "ErrorResponse").
nlohmann::json error_body(const Error& error);

template <class T>
using Result = boost::system::result<T, Error>;

/// Boost.System calls this where `.value()` meets an error: a bug, hence an exception.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

}  // namespace dap

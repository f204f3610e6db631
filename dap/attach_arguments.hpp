// Attach arguments: checked against the published schema, and split into the bridge's own and debugpy's.
//
// attach.schema.json is the single source: it says which attributes exist, which of them go on to debugpy, and which
// are refused because debugpy would do more with them than debug this worker (reach another process or address).
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"

namespace dap {

/// How workers are shown (attach argument `sessions`).
enum class SessionKind { single, children, merged };

struct AttachArguments {
    nlohmann::json all;     ///< as the client gave them
    nlohmann::json worker;  ///< what goes to debugpy: never empty, since debugpy refuses empty arguments

    std::optional<SessionKind> sessions;  ///< none: the client's abilities decide
    std::optional<std::string> target;
    std::optional<std::chrono::milliseconds> wait;  ///< none: for ever
    bool resume_on_disconnect = false;
    std::optional<std::chrono::milliseconds> hold_for;  ///< none: no limit
    bool tune_latency = true;
    bool post_mortem = true;
    bool allow_terminate = false;
    bool take_over = false;

    /// Arguments of `setExceptionBreakpoints` as the worker gets them: with the filter `uncaught` unless postMortem is
    /// off, since a worker that waits with an exception stops only with it. `arguments`: the client's, or null.
    nlohmann::json exception_filters(nlohmann::json arguments) const;
};

/// `arguments` may be null or an object.
/// Errors: invalid_arguments naming the attribute and what it may be, forbidden_argument.
Result<AttachArguments> read_attach_arguments(const nlohmann::json& arguments);

/// The same for one worker that was found already: without what chose it, and with `target` as its id.
AttachArguments arguments_for(AttachArguments arguments, const std::string& worker_id);

/// The schema as text, for `--help`, documentation and the VS Code extension.
const nlohmann::json& attach_schema();

/// Compares in a time that depends on the length of `given` alone.
bool same_secret(const std::string& expected, const std::string& given);

}  // namespace dap

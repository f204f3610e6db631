// The one expression that is evaluated in a worker after `attach` and before its stop is taken, again for every
// session that takes over a link. It applies what debugpy itself cannot be told; worker_setup.py says what.
//
// Pure function; thread-safe.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace discovery {

/// A Python expression, ASCII only, for `evaluate` (context `repl`, no frame). `attach_arguments` are the client's
/// (`localRoot`, `pathMappings`, `sources`, `clientOS`, `tuneLatency`, `justMyCode`, `rules`, ...); their `token` is
/// not passed on. `first` is false for a worker that a former session attached. The expression never raises; its
/// value is base64 of a JSON object `{python: [major, minor], mappings: [[local, remote]], problems: [text]}`, which
/// debugpy may put in quotes; it is None (an empty result) for debugpy before 1.8.21, which cannot answer with it.
std::string setup_expression(const nlohmann::json& attach_arguments, bool first);

/// A Python expression to evaluate before the debugger leaves the worker: threads that stand still are resumed, and
/// those that come to a stop from then on run through it. Its value is None; it fails harmlessly where the setup was
/// not evaluated.
std::string leave_expression();

}  // namespace discovery

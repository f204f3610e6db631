// Where discovery reads environment variables from: a function, so that tests give their own.
//
// Stateless; safe from every thread as long as nobody changes the process's environment.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace discovery {

/// Value of an environment variable; nullopt where it is unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
Environment process_environment();

}  // namespace discovery

// The request `startDebugging` as the clients need it (DAP, "StartDebugging Request"; what each does with it: the table
// in docs/clients.md).
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "dap/session.hpp"

namespace dap {

/// Arguments for a child that attaches with the one-shot id `announced`. `parent` are the attach arguments of the
/// session that asks.
nlohmann::json start_debugging(const ClientTraits& client, const nlohmann::json& parent, const std::string& name,
                               const std::string& announced);

}  // namespace dap

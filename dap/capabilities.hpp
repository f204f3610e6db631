// What the bridge offers to clients at `initialize`, before any worker is known.
#pragma once

#include <nlohmann/json.hpp>

namespace dap {

/// The fixed set, recorded from debugpy 1.8.22 and changed where the bridge's rules differ: `terminate` is not
/// offered, since with debugpy it kills the worker and nvim-dap would send it; the choice between releasing and
/// holding at `disconnect` is.
const nlohmann::json& fixed_capabilities();

/// What to tell the client in a `capabilities` event once the worker's own answer to `initialize` is known: members
/// in which it differs from the fixed set and that are the worker's to decide. Null where there are none.
nlohmann::json corrected_capabilities(const nlohmann::json& worker);

}  // namespace dap

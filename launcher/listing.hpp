// Which targets there are, and which of them a command line means.
#pragma once

#include <vector>

#include "dap/client.hpp"
#include "discovery/target.hpp"
#include "launcher/commands.hpp"

namespace launcher {

struct Listing {
    std::vector<discovery::Target> targets;
    std::optional<dap::Error> trouble;  ///< why the dashboard could not be asked; `targets` is then what was known
};

/// Asks a bridge. `listening`: also workers that listen without being paused.
dap::Result<Listing> list_from_bridge(dap::Client& client, const std::string& token, bool listening);

/// Asks the dashboard, without a bridge.
Listing list_from_dashboard(std::unique_ptr<discovery::Dashboard> dashboard, bool listening);

/// Those that `options.targets` mean, all for none, after waiting `options.wait` seconds for some to be there.
/// Errors: nothing_paused, no_such_target, ambiguous_target, those of the dashboard.
dap::Result<std::vector<discovery::Target>> pick_targets(const BridgeAccess& access, const Options& options);

/// "square · pid 8552 @ 10.0.3.7"
std::string label(const discovery::Target& target);

/// The candidates, one a line, for errors.
std::string list_candidates(const std::vector<discovery::Target>& targets);

}  // namespace launcher

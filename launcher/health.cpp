#include "launcher/commands.hpp"

namespace launcher {

int run_health(const Options& options) {
    const dap::Result<BridgeAccess> access = BridgeAccess::open(options);
    if (!access)
        return fail(access.error());
    const auto client = access->connect();
    return client ? exit_done : fail(client.error());
}

}  // namespace launcher

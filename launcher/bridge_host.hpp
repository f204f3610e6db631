// A whole bridge: I/O loop, view of the cluster, bookkeeping. Wires them and ends them in the right order.
//
// run() and everything inside happens on the thread that calls it; stop() and targets_from_outside() may be called
// from any other.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "dap/bridge.hpp"
#include "dap/io_loop.hpp"
#include "launcher/cluster_source.hpp"

namespace launcher {

class BridgeHost {
  public:
    BridgeHost(std::unique_ptr<discovery::Dashboard> dashboard, dap::BridgeOptions options);

    /// Listens for DAP clients. Returns the address "host:port". Errors: as IoLoop::listen.
    dap::Result<std::string> listen(const std::string& host, const std::string& port);
    /// Serves the client at the other end of a connected stream socket, which it takes over. Thread-safe.
    void adopt(int socket);
    /// Ends in order at SIGTERM and SIGINT.
    void end_on_signals();
    /// Serves until stop() or a signal. Workers are released, then clients closed.
    void run();
    /// Thread-safe.
    void stop();
    /// Rows of `targets --json`; none if the loop does not answer within a second. Thread-safe.
    std::optional<nlohmann::json> targets_from_outside();

  private:
    dap::IoLoop::Accept accept();
    static void accepted(dap::WireUser& user, std::unique_ptr<dap::Wire> wire);
    void shut_down();

    // Order matters: the bridge uses the source and the loop; the source's thread posts to the loop.
    dap::IoLoop m_loop;
    std::unique_ptr<ClusterSource> m_source;
    std::unique_ptr<dap::Bridge> m_bridge;
    bool m_ending = false;
};

}  // namespace launcher

// The commands of `ray-dap`, each in the file of its name. All return the exit status of the contract; results go to
// stdout, everything else to stderr.
#pragma once

#include <memory>
#include <string>

#include "dap/client.hpp"
#include "discovery/dashboard.hpp"
#include "launcher/embedded_bridge.hpp"
#include "launcher/options.hpp"

namespace launcher {

int run_serve(const Options& options);
int run_stdio(const Options& options);
int run_targets(const Options& options);
int run_stack(const Options& options);
int run_eval(const Options& options);
int run_continue(const Options& options);
int run_health(const Options& options);
int run_doctor(const Options& options);

/// The dashboard that `options` and the environment name. Errors: invalid_arguments for a malformed address.
dap::Result<std::unique_ptr<discovery::Dashboard>> open_dashboard(const Options& options);

/// The bridge's own token: RAY_DAP_TOKEN, else the text of --token-file; empty where neither is given.
/// Errors: invalid_arguments for an unreadable or empty file.
dap::Result<std::string> read_token(const Options& options);

/// Prints "ray-dap: …" to stderr and gives the exit status that belongs to the error.
int fail(const dap::Error& error);

/// Where commands find a bridge: the serving one, or one inside this process.
class BridgeAccess {
  public:
    /// Errors: bridge_unreachable; those of open_dashboard and read_token.
    static dap::Result<BridgeAccess> open(const Options& options);
    /// A new connection, initialized.
    dap::Result<std::unique_ptr<dap::Client>> connect() const;
    const std::string& token() const { return m_token; }

  private:
    std::string m_address;
    std::string m_token;
    std::unique_ptr<EmbeddedBridge> m_embedded;
};

}  // namespace launcher

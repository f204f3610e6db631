// A bridge inside this process, for `stdio` where none serves and for `--in-process`.
//
// Runs on a thread of its own; clients reach it through socket pairs, so nothing listens anywhere. Its end resumes
// every worker it held.
#pragma once

#include <thread>

#include "launcher/bridge_host.hpp"

namespace launcher {

class EmbeddedBridge {
  public:
    explicit EmbeddedBridge(std::unique_ptr<discovery::Dashboard> dashboard);
    ~EmbeddedBridge();

    /// A connected stream socket whose other end is a client connection of the bridge. The caller owns it.
    /// Errors: closed_by_peer with the system's words.
    dap::Result<int> open_client();

  private:
    BridgeHost m_host;
    std::thread m_thread;
};

}  // namespace launcher

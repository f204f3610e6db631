// The bridge's HTTP side: /healthz and /api/targets, read-only, on threads of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"

namespace httplib {
class Server;
}

namespace launcher {

class StatusServer {
  public:
    /// Rows of `targets --json`, or nothing while the bridge is too busy. Called from any of the server's threads.
    using Targets = std::function<std::optional<nlohmann::json>()>;

    /// `token`: what `/api/targets` demands as `Authorization: Bearer`; empty: nothing.
    StatusServer(Targets targets, std::string token);
    ~StatusServer();

    /// Starts to serve. Returns the address "host:port"; port 0 takes any free one. Errors: invalid_arguments.
    dap::Result<std::string> listen(const std::string& host, const std::string& port);

  private:
    std::unique_ptr<httplib::Server> m_server;
    std::thread m_thread;
};

}  // namespace launcher

#include "launcher/status_server.hpp"

#include <chrono>
#include <cstdlib>
#include <utility>

#include <httplib.h>

#include "dap/attach_arguments.hpp"
#include "dap/json_text.hpp"

namespace launcher {

namespace {

constexpr std::size_t threads = 2;

/// Whether a Host header names this machine by address: a page that had its own name resolve to us (DNS rebinding)
/// sends its name.
bool names_an_address(std::string host) {
    if (const std::size_t bracket = host.find(']'); host.starts_with('[') && bracket != std::string::npos)
        return true;
    host = host.substr(0, host.find(':'));
    return host == "localhost" || (!host.empty() && host.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace

StatusServer::StatusServer(Targets targets, std::string token) : m_server(std::make_unique<httplib::Server>()) {
    // cpp-httplib takes ownership of a raw pointer here.
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    m_server->new_task_queue = [] { return new httplib::ThreadPool(threads); };
    m_server->set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
        if (names_an_address(request.get_header_value("Host")))
            return httplib::Server::HandlerResponse::Unhandled;
        response.status = 403;
        response.set_content("Use the address of this server, not a name, in the URL.\n", "text/plain");
        return httplib::Server::HandlerResponse::Handled;
    });
    m_server->Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
        response.set_content("ok\n", "text/plain");
    });
    m_server->Get("/api/targets", [targets = std::move(targets), token = std::move(token)](
                                      const httplib::Request& request, httplib::Response& response) {
        const std::string given = request.get_header_value("Authorization");
        if (!token.empty() && !dap::same_secret("Bearer " + token, given)) {
            response.status = 401;
            response.set_header("WWW-Authenticate", "Bearer");
            response.set_content("This ray-dap demands its token as \"Authorization: Bearer\".\n", "text/plain");
            return;
        }
        if (const std::optional<nlohmann::json> rows = targets()) {
            response.set_content(dap::dump(*rows) + "\n", "application/json");
        } else {
            response.status = 503;
            response.set_content("The bridge is busy; try again.\n", "text/plain");
        }
    });
}

StatusServer::~StatusServer() {
    m_server->stop();
    if (m_thread.joinable())
        m_thread.join();
}

dap::Result<std::string> StatusServer::listen(const std::string& host, const std::string& port) {
    int bound = std::atoi(port.c_str());
    if (bound == 0)
        bound = m_server->bind_to_any_port(host);
    else if (!m_server->bind_to_port(host, bound))
        bound = -1;
    if (bound < 0)
        return dap::Error{dap::ErrorCode::invalid_arguments,
                          "Cannot serve HTTP on " + host + ":" + port +
                              ". Is another ray-dap serving there? Give another address with --http, or an empty one "
                              "(--http '') for none."};
    m_thread = std::thread([this] { m_server->listen_after_bind(); });
    // stop() does nothing before the server runs, so the destructor must not come sooner.
    while (!m_server->is_running())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return host + ":" + std::to_string(bound);
}

}  // namespace launcher

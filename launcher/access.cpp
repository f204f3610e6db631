#include <cstdlib>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "launcher/commands.hpp"

namespace launcher {

namespace {

std::string trim(std::string text) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && is_blank(text.back()))
        text.pop_back();
    while (!text.empty() && is_blank(text.front()))
        text.erase(text.begin());
    return text;
}

int status_of(dap::ErrorCode code) {
    using dap::ErrorCode;
    switch (code) {
        case ErrorCode::nothing_paused:
            return exit_nothing_paused;
        case ErrorCode::dashboard_unreachable:
        case ErrorCode::dashboard_unauthorized:
        case ErrorCode::dashboard_invalid:
        case ErrorCode::bridge_unreachable:
        case ErrorCode::unauthorized:
            return exit_unreachable;
        default:
            return exit_failed;
    }
}

}  // namespace

int fail(const dap::Error& error) {
    fmt::print(stderr, "ray-dap: {}\n", error.message);
    return status_of(error.code);
}

dap::Result<std::unique_ptr<discovery::Dashboard>> open_dashboard(const Options& options) {
    const auto url = discovery::dashboard_url_from(options.address, discovery::process_environment());
    if (!url)
        return dap::Error{dap::ErrorCode::invalid_arguments, url.error()};
    return std::make_unique<discovery::Dashboard>(*url);
}

dap::Result<std::string> read_token(const Options& options) {
    if (const char* token = std::getenv("RAY_DAP_TOKEN"); token != nullptr && options.token_file.empty())
        return trim(token);
    if (options.token_file.empty())
        return std::string();
    std::ifstream file(options.token_file);
    const std::string token = trim({std::istreambuf_iterator<char>(file), {}});
    if (token.empty())
        return dap::Error{dap::ErrorCode::invalid_arguments,
                          "The token file \"" + options.token_file + "\" cannot be read or is empty."};
    return token;
}

dap::Result<BridgeAccess> BridgeAccess::open(const Options& options) {
    BridgeAccess access;
    if (options.in_process) {
        auto dashboard = open_dashboard(options);
        if (!dashboard)
            return dashboard.error();
        access.m_embedded = std::make_unique<EmbeddedBridge>(std::move(*dashboard));
        fmt::print(stderr, "ray-dap: no bridge keeps them: the workers resume when this command ends.\n");
        return access;
    }
    dap::Result<std::string> token = read_token(options);
    if (!token)
        return token.error();
    access.m_address = options.connect;
    access.m_token = *token;
    return access;
}

dap::Result<std::unique_ptr<dap::Client>> BridgeAccess::connect() const {
    std::unique_ptr<dap::Client> client;
    if (m_embedded) {
        const dap::Result<int> socket = m_embedded->open_client();
        if (!socket)
            return socket.error();
        client = std::make_unique<dap::Client>(*socket);
    } else {
        auto connected = dap::Client::connect(m_address);
        if (!connected)
            return connected.error();
        client = std::move(*connected);
    }
    const auto ready =
        client->request("initialize", {{"clientID", "ray-dap"}, {"adapterID", "ray"}}, std::chrono::seconds(5));
    if (!ready)
        return dap::Error{
            dap::ErrorCode::bridge_unreachable,
            "What serves at " + m_address + " does not answer as ray-dap does: " + ready.error().message + "."};
    return client;
}

}  // namespace launcher

#include <boost/asio/ip/address.hpp>
#include <spdlog/spdlog.h>

#include "launcher/bridge_host.hpp"
#include "launcher/commands.hpp"
#include "launcher/status_server.hpp"

namespace launcher {

namespace {

struct HostPort {
    std::string host;
    std::string port;
};

dap::Result<HostPort> split(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    HostPort result;
    if (colon != std::string::npos)
        result = {address.substr(0, colon), address.substr(colon + 1)};
    if (result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']')
        result.host = result.host.substr(1, result.host.size() - 2);
    const bool number = !result.port.empty() && result.port.size() <= 5 &&
                        result.port.find_first_not_of("0123456789") == std::string::npos;
    if (result.host.empty() || !number || std::stoi(result.port) > 65535)
        return dap::Error{dap::ErrorCode::invalid_arguments,
                          "\"" + address +
                              "\" is not an address to listen on; write HOST:PORT, as in "
                              "127.0.0.1:5679."};
    return result;
}

bool is_loopback(const std::string& host) {
    boost::system::error_code failure;
    const auto address = boost::asio::ip::make_address(host, failure);
    return host == "localhost" || (!failure && address.is_loopback());
}

int usage(const dap::Error& error) {
    fail(error);
    return exit_usage;
}

}  // namespace

int run_serve(const Options& options) {
    const dap::Result<HostPort> listen = split(options.listen);
    if (!listen)
        return usage(listen.error());
    const dap::Result<HostPort> http = options.http.empty() ? HostPort() : split(options.http);
    if (!http)
        return usage(http.error());
    const dap::Result<std::string> token = read_token(options);
    if (!token)
        return usage(token.error());
    const bool exposed = !is_loopback(listen->host) || (!options.http.empty() && !is_loopback(http->host));
    if (exposed && token->empty())
        return usage({dap::ErrorCode::invalid_arguments,
                      "Listening beyond loopback demands a token, since whoever reaches ray-dap executes code in the "
                      "workers: give one with --token-file FILE, or listen on 127.0.0.1."});
    auto dashboard = open_dashboard(options);
    if (!dashboard)
        return usage(dashboard.error());

    spdlog::info("ray-dap " RAY_DAP_VERSION ", dashboard {}", (*dashboard)->url());
    BridgeHost host(std::move(*dashboard), {*token});
    host.end_on_signals();
    const dap::Result<std::string> dap_address = host.listen(listen->host, listen->port);
    if (!dap_address)
        return fail(dap_address.error());
    StatusServer status([&host] { return host.targets_from_outside(); }, *token);
    if (!options.http.empty()) {
        const dap::Result<std::string> http_address = status.listen(http->host, http->port);
        if (!http_address)
            return fail(http_address.error());
        spdlog::info("HTTP on {}", *http_address);
    }
    spdlog::info("DAP on {}", *dap_address);
    host.run();
    spdlog::info("ended");
    return exit_done;
}

}  // namespace launcher

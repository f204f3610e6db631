// `ray-dap doctor`: every step of the way from dashboard to worker, and what to mend where one fails.
#include <utility>

#include <fmt/format.h>

#include "launcher/cluster_source.hpp"
#include "launcher/listing.hpp"

namespace launcher {

namespace {

// Ray 2.39 made debugpy the default of breakpoint().
constexpr int floor_major = 2;
constexpr int floor_minor = 39;

struct Check {
    std::string name;
    bool ok;
    std::string detail;
    std::string advice = {};
};

Check check_version(const std::string& version) {
    int major = 0;
    int minor = 0;
    const bool read = std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2;
    const bool old = read && std::pair(major, minor) < std::pair(floor_major, floor_minor);
    return {"ray version", read && !old, version.empty() ? "unknown" : version,
            read && !old ? "" : "ray-dap needs Ray 2.39 or later: there breakpoint() opens a debugpy port."};
}

Check check_port(const discovery::Target& target) {
    constexpr std::chrono::milliseconds within{3000};
    const dap::Worker worker = to_worker(target);
    Check check{"worker " + worker.label(), false, "debug port " + worker.address() + " answers"};
    const dap::Result<int> socket = dap::connect_socket(worker.address(), within);
    if (!socket) {
        check.detail = "no connection to its debug port " + worker.address() + ": " + socket.error().message;
        check.advice = socket.error().code == dap::ErrorCode::timed_out
                           ? "A firewall or NetworkPolicy drops the traffic, or this machine is outside the cluster's "
                             "network: run ray-dap beside the Ray head."
                           : "The worker's debugger is gone while the dashboard still lists it, or this machine cannot "
                             "reach that address: run ray-dap beside the Ray head; if it is there already, stop the "
                             "task.";
        return check;
    }
    // A bare TCP probe would do harm: see Client::part.
    dap::Client client(*socket);
    const auto answer = client.request("initialize", {{"clientID", "ray-dap"}, {"adapterID", "debugpy"}}, within);
    check.ok = bool(answer) && bool(client.part(within));
    if (!check.ok) {
        check.detail = "its debug port " + worker.address() + " accepts connections, but debugpy does not answer";
        check.advice =
            "debugpy stops answering for good after a connection that closed without a word (a port scan, "
            "a TCP health check): keep those away from worker ports. Stop the task to get its worker back.";
    }
    return check;
}

}  // namespace

int run_doctor(const Options& options) {
    std::vector<Check> checks;
    int status = exit_done;
    const auto add = [&](Check check, int failure) {
        if (!check.ok && status == exit_done)
            status = failure;
        checks.push_back(std::move(check));
    };

    auto dashboard = open_dashboard(options);
    if (!dashboard)
        return fail(dashboard.error()), exit_usage;
    const std::string url = (*dashboard)->url();
    const auto version = (*dashboard)->version();
    if (!version) {
        add({"dashboard", false, url, version.error().message}, exit_unreachable);
    } else {
        add({"dashboard", true, url}, exit_failed);
        add(check_version(version->ray_version), exit_failed);
        const Listing listing = list_from_dashboard(std::move(*dashboard), false);
        if (listing.trouble) {
            add({"paused workers", false, "cannot be listed", listing.trouble->message}, exit_unreachable);
        } else {
            const std::string count = std::to_string(listing.targets.size());
            add({"paused workers", true, count,
                 listing.targets.empty() ? "If you expected some: is debugpy 1.8.0 or later installed in the workers' "
                                           "environment, and does the code reach breakpoint()?"
                                         : ""},
                exit_failed);
            for (const discovery::Target& target : listing.targets)
                add(check_port(target), exit_failed);
        }
    }
    const bool serves = bool(dap::Client::connect(options.connect));
    checks.push_back({"bridge", true, serves ? "serves at " + options.connect : "none at " + options.connect,
                      serves ? "" : "Start one with `ray-dap serve`."});

    if (options.json) {
        nlohmann::json rows = nlohmann::json::array();
        for (const Check& check : checks)
            rows.push_back(
                {{"check", check.name}, {"ok", check.ok}, {"detail", check.detail}, {"advice", check.advice}});
        fmt::print("{}\n", nlohmann::json{{"ok", status == exit_done}, {"checks", rows}}.dump());
        return status;
    }
    for (const Check& check : checks) {
        fmt::print("{:<5} {}: {}\n", check.ok ? "ok" : "FAIL", check.name, check.detail);
        if (!check.advice.empty())
            fmt::print("      {}\n", check.advice);
    }
    return status;
}

}  // namespace launcher

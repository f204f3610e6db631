#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "launcher/listing.hpp"

namespace launcher {

namespace {

using Row = std::array<std::string, 7>;

Row columns(const discovery::Target& target) {
    const std::string actor = target.actor_name.empty() ? target.actor_id.substr(0, 12) : target.actor_name;
    return {target.target.substr(0, 12),
            target.state,
            target.name,
            actor,
            target.submission_id.empty() ? target.job_id : target.submission_id,
            std::to_string(target.pid) + "@" + target.ip,
            std::to_string(target.paused_threads)};
}

void print_table(const std::vector<discovery::Target>& targets) {
    std::vector<Row> rows = {{"TARGET", "STATE", "NAME", "ACTOR", "JOB", "PID@IP", "THREADS"}};
    for (const discovery::Target& target : targets)
        rows.push_back(columns(target));
    std::array<std::size_t, std::tuple_size_v<Row>> widths{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        fmt::print("{}\n", line);
    }
}

nlohmann::json to_json(const std::vector<discovery::Target>& targets) {
    nlohmann::json rows = nlohmann::json::array();
    for (const discovery::Target& target : targets)
        rows.push_back(discovery::to_json(target));
    return rows;
}

dap::Result<Listing> list_targets(const Options& options) {
    const dap::Result<std::string> token = read_token(options);
    if (!token)
        return token.error();
    if (const auto client = dap::Client::connect(options.connect)) {
        const auto ready = (*client)->request("initialize", {{"clientID", "ray-dap"}, {"adapterID", "ray"}});
        if (!ready)
            return ready.error();
        return list_from_bridge(**client, *token, options.all);
    }
    auto dashboard = open_dashboard(options);
    if (!dashboard)
        return dashboard.error();
    return list_from_dashboard(std::move(*dashboard), options.all);
}

int print_once(const Options& options, std::string* last) {
    const dap::Result<Listing> listing = list_targets(options);
    if (!listing)
        return fail(listing.error());
    if (listing->trouble)
        return fail(*listing->trouble);
    std::string text = options.json ? to_json(listing->targets).dump() : std::string();
    if (!options.json) {
        for (const discovery::Target& target : listing->targets)
            text += discovery::to_json(target).dump();
    }
    if (last != nullptr && std::exchange(*last, text) == text)
        return exit_done;
    if (options.json)
        fmt::print("{}\n", text);
    else if (listing->targets.empty())
        fmt::print(stderr, "Nothing is paused at a breakpoint().\n");
    else
        print_table(listing->targets);
    std::fflush(stdout);
    return exit_done;
}

}  // namespace

int run_targets(const Options& options) {
    if (!options.watch)
        return print_once(options, nullptr);
    std::string last = "nothing printed yet";
    while (true) {
        // A dashboard that restarts is no reason to end a watch; print_once said what is wrong.
        print_once(options, &last);
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
}

}  // namespace launcher

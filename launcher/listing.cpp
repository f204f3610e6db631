#include "launcher/listing.hpp"

#include <algorithm>
#include <future>
#include <thread>

#include "dap/message.hpp"
#include "discovery/selector.hpp"
#include "discovery/watcher.hpp"
#include "launcher/cluster_source.hpp"

namespace launcher {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds ask_again_after{250};

/// Indices of the targets that any of `texts` means, each once, in the order of `targets`.
dap::Result<std::vector<std::size_t>> select_all(const std::vector<discovery::Target>& targets,
                                                 const std::vector<std::string>& texts) {
    std::vector<std::size_t> result;
    for (const std::string& text : texts) {
        const auto chosen = discovery::select(targets, {text, std::nullopt, std::nullopt});
        if (!chosen)
            return dap::Error{dap::ErrorCode::ambiguous_target, chosen.error().message};
        if (chosen->empty())
            return dap::Error{dap::ErrorCode::no_such_target, "No paused worker matches \"" + text + "\"."};
        result.insert(result.end(), chosen->begin(), chosen->end());
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

dap::Result<std::vector<discovery::Target>> pick_now(const Listing& listing, const Options& options) {
    if (listing.targets.empty() && listing.trouble)
        return *listing.trouble;
    if (listing.targets.empty())
        return dap::Error{dap::ErrorCode::nothing_paused, "Nothing is paused at a breakpoint()."};
    if (options.targets.empty())
        return listing.targets;
    const auto chosen = select_all(listing.targets, options.targets);
    if (!chosen && chosen.error().code == dap::ErrorCode::no_such_target)
        return dap::Error{chosen.error().code,
                          chosen.error().message + " There are:\n" + list_candidates(listing.targets)};
    if (!chosen)
        return chosen.error();
    std::vector<discovery::Target> result;
    for (const std::size_t index : *chosen)
        result.push_back(listing.targets[index]);
    return result;
}

}  // namespace

std::string label(const discovery::Target& target) {
    return to_worker(target).label();
}

std::string list_candidates(const std::vector<discovery::Target>& targets) {
    std::string text;
    for (const discovery::Target& target : targets)
        text += (text.empty() ? "  " : "\n  ") + target.target + "  " + label(target);
    return text;
}

dap::Result<Listing> list_from_bridge(dap::Client& client, const std::string& token, bool listening) {
    nlohmann::json arguments = {{"all", listening}};
    if (!token.empty())
        arguments["token"] = token;
    const auto body = client.request("rayTargets", arguments, std::chrono::seconds(60));
    if (!body)
        return body.error();
    Listing listing;
    for (const nlohmann::json& row : dap::member(*body, "targets"))
        listing.targets.push_back(discovery::from_json(row));
    if (const nlohmann::json& trouble = dap::member(*body, "trouble"); trouble.is_object()) {
        dap::ErrorCode code = dap::ErrorCode::dashboard_unreachable;
        for (const dap::ErrorInfo& row : dap::all_errors()) {
            if (dap::member(trouble, "id") == row.id)
                code = row.code;
        }
        listing.trouble = dap::Error{code, trouble.value("format", "The dashboard gives no answer.")};
    }
    return listing;
}

Listing list_from_dashboard(std::unique_ptr<discovery::Dashboard> dashboard, bool listening) {
    std::promise<std::shared_ptr<const discovery::Snapshot>> promise;
    bool answered = false;
    std::uint64_t needed = 1;
    std::mutex mutex;
    std::unique_lock lock(mutex);
    discovery::Watcher watcher(std::move(dashboard), [&](std::shared_ptr<const discovery::Snapshot> snapshot) {
        const std::lock_guard guard(mutex);
        if (!answered && snapshot->number >= needed) {
            answered = true;
            promise.set_value(std::move(snapshot));
        }
    });
    needed = watcher.refresh(listening);
    lock.unlock();
    const std::shared_ptr<const discovery::Snapshot> snapshot = promise.get_future().get();
    Listing listing{snapshot->targets, std::nullopt};
    if (snapshot->trouble)
        listing.trouble = to_error(*snapshot->trouble);
    return listing;
}

dap::Result<std::vector<discovery::Target>> pick_targets(const BridgeAccess& access, const Options& options) {
    const auto client = access.connect();
    if (!client)
        return client.error();
    const auto deadline = steady_clock::now() + milliseconds(static_cast<std::int64_t>(options.wait * 1000));
    while (true) {
        const dap::Result<Listing> listing = list_from_bridge(**client, access.token(), false);
        if (!listing)
            return listing.error();
        auto picked = pick_now(*listing, options);
        if (picked || picked.error().code == dap::ErrorCode::ambiguous_target || steady_clock::now() >= deadline)
            return picked;
        std::this_thread::sleep_for(ask_again_after);
    }
}

}  // namespace launcher

#include "launcher/cluster_source.hpp"

#include <utility>

#include <spdlog/spdlog.h>

#include "dap/message.hpp"
#include "discovery/selector.hpp"

namespace launcher {

namespace {

std::optional<std::string> text(const nlohmann::json& arguments, const char* name) {
    const nlohmann::json& value = dap::member(arguments, name);
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

}  // namespace

dap::Worker to_worker(const discovery::Target& target) {
    dap::Worker worker;
    worker.id = target.target;
    worker.name = target.name;
    worker.named = target.kind != discovery::TargetKind::worker;
    worker.ip = target.ip;
    worker.port = target.port;
    worker.pid = target.pid;
    worker.waiting = target.paused_threads > 0;
    worker.paused_at = target.paused_at;
    worker.info = discovery::to_json(target);
    return worker;
}

dap::Error to_error(const discovery::Trouble& trouble) {
    using Kind = discovery::Trouble::Kind;
    switch (trouble.kind) {
        case Kind::unauthorized:
        case Kind::forbidden:
            return {dap::ErrorCode::dashboard_unauthorized, trouble.message};
        case Kind::not_a_dashboard:
        case Kind::rejected:
            return {dap::ErrorCode::dashboard_invalid, trouble.message};
        case Kind::unreachable:
        case Kind::timed_out:
        case Kind::stopped:
            break;
    }
    return {dap::ErrorCode::dashboard_unreachable, trouble.message};
}

ClusterSource::ClusterSource(dap::IoLoop& loop, std::unique_ptr<discovery::Dashboard> dashboard,
                             std::function<void()> changed)
    : m_changed(std::move(changed)),
      m_watcher(std::move(dashboard), [this, &loop](std::shared_ptr<const discovery::Snapshot> snapshot) {
          loop.post([this, snapshot = std::move(snapshot)] { take(*snapshot); });
      }) {}

void ClusterSource::take(const discovery::Snapshot& snapshot) {
    m_snapshot.number = snapshot.number;
    m_snapshot.trouble.reset();
    if (snapshot.trouble)
        m_snapshot.trouble = to_error(*snapshot.trouble);
    m_snapshot.workers.clear();
    for (const discovery::Target& target : snapshot.targets)
        m_snapshot.workers.push_back(to_worker(target));

    std::string trouble = snapshot.trouble ? snapshot.trouble->message : "";
    for (const std::string& warning : snapshot.warnings)
        trouble += (trouble.empty() ? "" : " ") + warning;
    if (trouble != m_logged_trouble) {
        if (trouble.empty())
            spdlog::info("the dashboard answers again");
        else
            spdlog::warn("{}", trouble);
        m_logged_trouble = std::move(trouble);
    }
    m_changed();
}

std::uint64_t ClusterSource::refresh(bool listening) {
    return m_watcher.refresh(listening);
}

void ClusterSource::set_waiting_sessions(std::size_t count) {
    m_watcher.set_waiting(count);
}

dap::Result<std::vector<std::size_t>> ClusterSource::choose(const std::vector<dap::Worker>& candidates,
                                                            const nlohmann::json& arguments) const {
    std::vector<discovery::Target> targets;
    targets.reserve(candidates.size());
    for (const dap::Worker& candidate : candidates)
        targets.push_back(discovery::from_json(candidate.info));
    const discovery::Query query{text(arguments, "target"), text(arguments, "job"), text(arguments, "node")};
    const auto chosen = discovery::select(targets, query);
    if (chosen)
        return *chosen;
    const bool ambiguous = chosen.error().kind == discovery::SelectionError::Kind::ambiguous_prefix;
    return dap::Error{ambiguous ? dap::ErrorCode::ambiguous_target : dap::ErrorCode::invalid_arguments,
                      chosen.error().message};
}

std::string ClusterSource::setup_expression(const nlohmann::json& arguments, bool first) const {
    return discovery::setup_expression(arguments, first);
}

}  // namespace launcher

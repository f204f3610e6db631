#include "dap/cluster_watch.hpp"

#include <utility>

#include "dap/bridge.hpp"

namespace dap {

namespace {

// Ray reports what runs in a worker up to a second after it began, and clients keep the name they were told first.
// Looks come every 250 ms while somebody watches.
constexpr int most_nameless_looks = 8;

}  // namespace

ClusterWatch::ClusterWatch(Session& session, Bridge& bridge, const AttachArguments& arguments)
    : m_session(session), m_bridge(bridge), m_arguments(arguments), m_snapshot_needed(bridge.fresh_look()) {}

bool ClusterWatch::has_fresh_look() const {
    return m_bridge.snapshot_number() >= m_snapshot_needed;
}

Result<std::vector<Worker>> ClusterWatch::news() {
    Result<std::vector<Pause>> pauses = m_bridge.pauses(m_arguments.all, m_with_held);
    if (!pauses)
        return pauses.error();
    m_with_held = false;
    std::vector<Worker> result;
    for (Pause& pause : *pauses) {
        const auto known = m_known.find(pause.worker.id);
        if (known != m_known.end() && known->second == pause.number)
            continue;
        // A held one had its time.
        if (pause.number >= 0 && !pause.worker.named && ++m_nameless[pause.worker.id] < most_nameless_looks)
            continue;
        m_nameless.erase(pause.worker.id);
        m_known[pause.worker.id] = pause.number;
        result.push_back(std::move(pause.worker));
    }
    return result;
}

void ClusterWatch::start_again() {
    m_known.clear();
    m_with_held = true;
    m_snapshot_needed = m_bridge.fresh_look();
}

std::string ClusterWatch::state() const {
    const std::string trouble = m_bridge.trouble();
    return trouble.empty() ? "Watching for Ray workers that pause at breakpoint()" : trouble;
}

void ClusterWatch::tell(const std::string& state) {
    if (state != std::exchange(m_told, state))
        m_session.send_event("output", {{"category", "console"}, {"output", "ray-dap: " + state + "\n"}});
}

}  // namespace dap

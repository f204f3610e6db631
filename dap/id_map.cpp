#include "dap/id_map.hpp"

namespace dap {

std::int64_t IdMap::to_client(int worker, std::int64_t id) {
    const auto [entry, is_new] = m_by_worker[worker].try_emplace(id, 0);
    if (is_new) {
        entry->second = ++m_last;
        m_locals.emplace(entry->second, Local{worker, id});
    }
    return entry->second;
}

std::optional<IdMap::Local> IdMap::to_worker(std::int64_t id) const {
    const auto found = m_locals.find(id);
    return found == m_locals.end() ? std::nullopt : std::optional(found->second);
}

void IdMap::forget(int worker) {
    const auto found = m_by_worker.find(worker);
    if (found == m_by_worker.end())
        return;
    for (const auto& [local, id] : found->second)
        m_locals.erase(id);
    m_by_worker.erase(found);
}

void IdMap::forget(int worker, std::int64_t id) {
    const auto ids = m_by_worker.find(worker);
    if (ids == m_by_worker.end())
        return;
    if (const auto found = ids->second.find(id); found != ids->second.end()) {
        m_locals.erase(found->second);
        ids->second.erase(found);
    }
}

}  // namespace dap

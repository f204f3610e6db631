#include "dap/merged_breakpoints.hpp"

#include <algorithm>

#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace dap {

std::string MergedBreakpoints::set(const std::string& command, nlohmann::json arguments) {
    if (!arguments.is_object())
        arguments = nlohmann::json::object();
    // Workers know the file by its path; a reference is of one worker alone, and pydevd never looks at it here.
    const nlohmann::json source = member(arguments, "source");
    if (source.is_object())
        arguments["source"].erase("sourceReference");
    const nlohmann::json path = member(source, "path");
    std::string key = command + " " + dump(path.is_null() ? source : path);
    drop(key);
    std::vector<std::int64_t>& ids = m_ids[key];
    for (const nlohmann::json& wanted : member(arguments, "breakpoints")) {
        ids.push_back(++m_last_id);
        m_breakpoints[m_last_id] = {m_last_id, key, wanted, false, {}, {}};
    }
    const bool for_workers = command != "setBreakpoints" || path.is_string();
    m_requests[key] = {command, std::move(arguments), source, ++m_last_request, for_workers};
    return key;
}

void MergedBreakpoints::drop(const std::string& key) {
    const auto found = m_ids.find(key);
    if (found == m_ids.end())
        return;
    for (const std::int64_t id : found->second)
        m_breakpoints.erase(id);
    m_ids.erase(found);
    for (auto& [worker, ids] : m_by_worker)
        std::erase_if(ids, [this](const auto& entry) { return !m_breakpoints.contains(entry.second); });
}

nlohmann::json MergedBreakpoints::state(const Breakpoint& breakpoint) const {
    nlohmann::json result = {{"id", breakpoint.id}, {"verified", !breakpoint.verified_by.empty()}};
    const Request& request = m_requests.at(breakpoint.key);
    if (breakpoint.workers.empty())
        result["message"] =
            request.for_workers ? "Set in each worker that joins" : "Workers know this source by no path";
    else
        result.update(breakpoint.verified_by.empty() ? breakpoint.workers.begin()->second
                                                     : breakpoint.workers.at(*breakpoint.verified_by.begin()));
    // The client's own name of the file: each worker has another.
    if (request.source.is_object())
        result["source"] = request.source;
    if (const nlohmann::json& line = member(breakpoint.wanted, "line"); !result.contains("line") && !line.is_null())
        result["line"] = line;
    return result;
}

nlohmann::json MergedBreakpoints::replaced_body(const nlohmann::json& wanted) {
    nlohmann::json breakpoints = nlohmann::json::array();
    for (const nlohmann::json& each : wanted) {
        nlohmann::json breakpoint = {{"verified", false}, {"message", "Replaced by a later request"}};
        if (each.contains("line"))
            breakpoint["line"] = each["line"];
        breakpoints.push_back(std::move(breakpoint));
    }
    return {{"breakpoints", std::move(breakpoints)}};
}

nlohmann::json MergedBreakpoints::body(const std::string& key) {
    nlohmann::json breakpoints = nlohmann::json::array();
    const auto ids = m_ids.find(key);
    if (ids != m_ids.end()) {
        for (const std::int64_t id : ids->second) {
            Breakpoint& breakpoint = m_breakpoints.at(id);
            breakpoint.told = true;
            breakpoints.push_back(state(breakpoint));
        }
    }
    return {{"breakpoints", std::move(breakpoints)}};
}

void MergedBreakpoints::note(Breakpoint& breakpoint, int worker, const nlohmann::json& made,
                             std::vector<nlohmann::json>& changes) {
    const nlohmann::json before = state(breakpoint);
    breakpoint.verified_by.erase(worker);
    if (made.is_null()) {
        breakpoint.workers.erase(worker);
    } else {
        nlohmann::json kept = nlohmann::json::object();
        for (const char* name : {"line", "endLine", "column", "endColumn", "message"}) {
            if (made.contains(name))
                kept[name] = made[name];
        }
        breakpoint.workers[worker] = std::move(kept);
        if (member(made, "verified") == true)
            breakpoint.verified_by.insert(worker);
    }
    if (const nlohmann::json after = state(breakpoint); breakpoint.told && after != before)
        changes.push_back({{"reason", "changed"}, {"breakpoint", after}});
}

std::vector<nlohmann::json> MergedBreakpoints::answered(const std::string& key, std::int64_t number, int worker,
                                                        const nlohmann::json& breakpoints) {
    std::vector<nlohmann::json> changes;
    const auto request = m_requests.find(key);
    if (request == m_requests.end() || request->second.number != number || !breakpoints.is_array())
        return changes;
    const std::vector<std::int64_t>& ids = m_ids[key];
    for (std::size_t i = 0; i < std::min(ids.size(), breakpoints.size()); ++i) {
        if (const nlohmann::json& local = member(breakpoints[i], "id"); local.is_number_integer())
            m_by_worker[worker][local.get<std::int64_t>()] = ids[i];
        note(m_breakpoints.at(ids[i]), worker, breakpoints[i], changes);
    }
    return changes;
}

std::vector<nlohmann::json> MergedBreakpoints::changed(int worker, const nlohmann::json& breakpoint) {
    std::vector<nlohmann::json> changes;
    const nlohmann::json ids = client_ids(worker, nlohmann::json::array({member(breakpoint, "id")}));
    if (ids.empty())
        return changes;
    note(m_breakpoints.at(ids[0].get<std::int64_t>()), worker, breakpoint, changes);
    return changes;
}

std::vector<nlohmann::json> MergedBreakpoints::left(int worker) {
    std::vector<nlohmann::json> changes;
    m_by_worker.erase(worker);
    for (const auto& [key, ids] : m_ids) {
        for (const std::int64_t id : ids) {
            if (Breakpoint& breakpoint = m_breakpoints.at(id); breakpoint.workers.contains(worker))
                note(breakpoint, worker, nullptr, changes);
        }
    }
    return changes;
}

nlohmann::json MergedBreakpoints::client_ids(int worker, const nlohmann::json& ids) const {
    nlohmann::json result = nlohmann::json::array();
    const auto known = m_by_worker.find(worker);
    if (known == m_by_worker.end() || !ids.is_array())
        return result;
    for (const nlohmann::json& id : ids) {
        if (!id.is_number_integer())
            continue;
        const auto found = known->second.find(id.get<std::int64_t>());
        if (found != known->second.end())
            result.push_back(found->second);
    }
    return result;
}

}  // namespace dap

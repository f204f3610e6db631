#include "discovery/target_model.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace discovery {
namespace {

using namespace std::chrono_literals;

constexpr auto young = 5s;
constexpr auto unnamed_for = 60s;
constexpr auto asked_again_after = 15s;
constexpr auto unknown_job_for = 10s;
constexpr std::size_t remembered = 10000;
constexpr std::size_t job_id_length = 8;

/// A driver's worker id is its job id followed by f's (Ray: ComputeDriverIdFromJob).
std::string job_of_driver(const std::string& worker_id) {
    if (worker_id.size() <= job_id_length || worker_id.find_first_not_of('f', job_id_length) != std::string::npos)
        return {};
    return worker_id.substr(0, job_id_length);
}

/// "Waiter.{a|b}" for several functions of one class.
std::string joint_name(const std::set<std::string>& functions) {
    std::set<std::string> methods;
    std::string owner;
    for (const std::string& function : functions) {
        const auto dot = function.rfind('.');
        if (dot != std::string::npos)
            owner = function.substr(0, dot + 1);
        methods.insert(dot == std::string::npos ? function : function.substr(dot + 1));
    }
    std::string name = owner + "{";
    for (const std::string& method : methods)
        name += (method == *methods.begin() ? "" : "|") + method;
    return name + "}";
}

}  // namespace

void TargetModel::begin_pause(Entry& entry, Time now) {
    entry.first_seen = now;
    entry.asked = Time();
    entry.named = false;
    entry.kind = entry.row.driver ? TargetKind::driver : TargetKind::worker;
    entry.name.clear();
    entry.task_id.clear();
    // Once an actor's, a worker stays that actor's, and a driver its job's; a task's worker may get another job.
    if (entry.actor_id.empty())
        entry.job_id = entry.row.driver ? job_of_driver(entry.row.worker_id) : std::string();
    else
        entry.kind = TargetKind::actor;
}

void TargetModel::update_workers(const Rows<WorkerRow>& answer, bool listening, Time now) {
    std::set<std::string> seen;
    for (const WorkerRow& row : answer.rows) {
        seen.insert(row.worker_id);
        const auto [at, is_new] = m_entries.try_emplace(row.worker_id);
        Entry& entry = at->second;
        const bool was_paused = !is_new && entry.row.paused_threads > 0;
        entry.row = row;
        const bool paused = row.paused_threads > 0;
        if (is_new || paused != was_paused) {
            begin_pause(entry, now);
            entry.paused_at = paused ? ++m_pauses : 0;
        }
    }
    std::erase_if(m_entries, [&](const auto& item) {
        const bool only_listens = item.second.row.paused_threads == 0;
        return !seen.contains(item.first) && (answer.complete || (only_listens && !listening));
    });
}

std::vector<std::string> TargetModel::wanted_names(Time now) const {
    std::vector<std::string> wanted;
    for (const auto& [id, entry] : m_entries) {
        if (entry.row.driver)
            continue;
        const auto age = now - entry.first_seen;
        const bool paused = entry.row.paused_threads > 0;
        if (!paused || age < young || (!entry.named && age < unnamed_for) || now - entry.asked >= asked_again_after)
            wanted.push_back(id);
    }
    std::sort(wanted.begin(), wanted.end());
    return wanted;
}

std::vector<std::string> TargetModel::update_tasks(const Rows<TaskRow>& answer, const std::vector<std::string>& asked,
                                                   Time now) {
    std::unordered_map<std::string, std::vector<const TaskRow*>> by_worker;
    for (const TaskRow& row : answer.rows)
        by_worker[row.worker_id].push_back(&row);
    std::vector<std::string> missing;
    for (const std::string& id : asked) {
        const auto found = m_entries.find(id);
        if (found == m_entries.end())
            continue;
        Entry& entry = found->second;
        entry.asked = now;
        const auto tasks = by_worker.find(id);
        if (tasks != by_worker.end()) {
            name_entry(entry, tasks->second);
        } else {
            // What a worker that is not paused ran is over; what a paused one runs cannot be.
            if (entry.row.paused_threads == 0 && answer.complete)
                begin_pause(entry, entry.first_seen);
            if (!answer.complete && !entry.named)
                missing.push_back(id);
        }
    }
    return missing;
}

void TargetModel::name_entry(Entry& entry, std::vector<const TaskRow*> tasks) {
    const bool actor =
        std::any_of(tasks.begin(), tasks.end(), [](const TaskRow* row) { return !row->actor_id.empty(); });
    if (actor) {
        // Tasks from before the worker became an actor's, and its constructor beside methods, are late events.
        std::erase_if(tasks, [](const TaskRow* row) { return row->actor_id.empty(); });
        if (std::any_of(tasks.begin(), tasks.end(), [](const TaskRow* row) { return !row->creation; }))
            std::erase_if(tasks, [](const TaskRow* row) { return row->creation; });
    } else {
        // One task at a time: what started later is what runs, the others ended without the cluster knowing yet.
        const auto order = [](const TaskRow* a, const TaskRow* b) {
            return std::tie(a->started, a->created, a->attempt) < std::tie(b->started, b->created, b->attempt);
        };
        tasks = {*std::max_element(tasks.begin(), tasks.end(), order)};
    }
    std::set<std::string> functions;
    std::set<std::string> names;
    std::set<std::string> ids;
    for (const TaskRow* row : tasks) {
        functions.insert(row->function);
        names.insert(row->name);
        ids.insert(row->task_id);
    }
    entry.named = true;
    entry.kind = actor ? TargetKind::actor : TargetKind::task;
    entry.actor_id = tasks.front()->actor_id;
    entry.job_id = tasks.front()->job_id;
    entry.task_id = ids.size() == 1 ? *ids.begin() : std::string();
    if (names.size() == 1)
        entry.name = *names.begin();
    else
        entry.name = functions.size() == 1 ? *functions.begin() : joint_name(functions);
}

std::vector<std::string> TargetModel::wanted_actors() const {
    std::set<std::string> wanted;
    for (const auto& [id, entry] : m_entries)
        if (!entry.actor_id.empty() && !m_actor_names.contains(entry.actor_id))
            wanted.insert(entry.actor_id);
    return {wanted.begin(), wanted.end()};
}

void TargetModel::update_actors(const std::vector<ActorRow>& rows, const std::vector<std::string>& asked) {
    if (m_actor_names.size() > remembered)
        m_actor_names.clear();
    for (const std::string& id : asked)
        m_actor_names.try_emplace(id);
    for (const ActorRow& row : rows)
        m_actor_names[row.actor_id] = row.name;
}

bool TargetModel::wants_jobs(Time now) {
    std::unordered_map<std::string, Time> unknown;
    bool wanted = false;
    for (const auto& [id, entry] : m_entries) {
        if (entry.job_id.empty() || m_jobs.contains(entry.job_id))
            continue;
        const auto since = m_unknown_jobs.find(entry.job_id);
        const Time first = since == m_unknown_jobs.end() ? now : since->second;
        unknown.emplace(entry.job_id, first);
        wanted = wanted || now - first < unknown_job_for;
    }
    m_unknown_jobs = std::move(unknown);
    return wanted;
}

void TargetModel::update_jobs(const std::vector<JobRow>& rows) {
    if (m_jobs.size() > remembered)
        m_jobs.clear();
    for (const JobRow& row : rows) {
        // A job may be listed as driver and as submission: the latter says more.
        const auto [at, is_new] = m_jobs.try_emplace(row.job_id, row);
        if (!is_new && !row.submission_id.empty())
            at->second = row;
    }
}

Target TargetModel::target_of(const Entry& entry) const {
    Target target;
    target.target = entry.row.worker_id;
    target.kind = entry.kind;
    target.name = entry.name;
    target.task_id = entry.task_id;
    target.actor_id = entry.actor_id;
    if (const auto found = m_actor_names.find(entry.actor_id); found != m_actor_names.end())
        target.actor_name = found->second;
    target.job_id = entry.job_id;
    if (const auto found = m_jobs.find(entry.job_id); found != m_jobs.end()) {
        target.submission_id = found->second.submission_id;
        if (entry.row.driver)
            target.name = found->second.entrypoint;
    }
    if (target.name.empty())
        target.name = entry.row.driver ? "driver" : "worker";
    target.node_id = entry.row.node_id;
    target.ip = entry.row.ip;
    target.port = entry.row.port;
    target.pid = entry.row.pid;
    target.state = entry.row.paused_threads > 0 ? "waiting" : "listening";
    target.paused_threads = entry.row.paused_threads;
    target.paused_at = entry.paused_at;
    return target;
}

std::vector<Target> TargetModel::targets() const {
    std::vector<Target> targets;
    targets.reserve(m_entries.size());
    for (const auto& [id, entry] : m_entries)
        targets.push_back(target_of(entry));
    std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
        const bool a_listens = a.paused_at == 0;
        const bool b_listens = b.paused_at == 0;
        return std::tie(a_listens, a.paused_at, a.target) < std::tie(b_listens, b.paused_at, b.target);
    });
    return targets;
}

}  // namespace discovery

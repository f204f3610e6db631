// Turns what the dashboard answers, look by look, into targets: merges rows, names workers, tells pauses apart.
//
// No I/O and no clock: the owner (Watcher) hands in answers with the time they came. One thread. Nothing fails: an
// answer that is missing leaves what was known. The order of a look: update_workers, then whatever wanted_… asks for.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "discovery/rows.hpp"
#include "discovery/target.hpp"

namespace discovery {

class TargetModel {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// Takes a look's workers. Ones that are gone are dropped, but not by an incomplete answer. A worker that was
    /// not paused before, or not there, begins a new pause: a new `paused_at`, and named anew.
    void update_workers(const Rows<WorkerRow>& answer, bool listening, Time now);

    /// Workers whose running tasks should be asked for now: pauses younger than 5 s (task events reach GCS up to a
    /// second late, and the worker's former task may still be listed as RUNNING), unnamed ones for 60 s, the others
    /// every 15 s (a worker may have been resumed and paused again between two looks); and all that only listen.
    std::vector<std::string> wanted_names(Time now) const;

    /// Names the workers `asked` from `answer`. Returns those that a complete answer might have named.
    std::vector<std::string> update_tasks(const Rows<TaskRow>& answer, const std::vector<std::string>& asked, Time now);

    /// Actors whose names nobody asked for yet.
    std::vector<std::string> wanted_actors() const;
    /// Takes the answer about `asked`; those that it lacks have no name.
    void update_actors(const std::vector<ActorRow>& rows, const std::vector<std::string>& asked);

    /// True while a job of a target is unknown (for 10 s: jobs are listed a little late).
    bool wants_jobs(Time now);
    void update_jobs(const std::vector<JobRow>& rows);

    /// What is known, longest-paused first, workers that only listen last.
    std::vector<Target> targets() const;

  private:
    struct Entry {
        WorkerRow row;
        std::int64_t paused_at = 0;  ///< 0: listens without being paused
        Time first_seen;
        Time asked;  ///< when its tasks were last asked for
        bool named = false;
        TargetKind kind = TargetKind::worker;
        std::string name;
        std::string task_id;
        std::string actor_id;
        std::string job_id;
    };

    static void begin_pause(Entry& entry, Time now);
    static void name_entry(Entry& entry, std::vector<const TaskRow*> tasks);
    Target target_of(const Entry& entry) const;

    std::unordered_map<std::string, Entry> m_entries;            ///< by worker id
    std::unordered_map<std::string, std::string> m_actor_names;  ///< by actor id
    std::unordered_map<std::string, JobRow> m_jobs;              ///< by job id
    std::unordered_map<std::string, Time> m_unknown_jobs;        ///< since when each is wanted
    std::int64_t m_pauses = 0;
};

}  // namespace discovery

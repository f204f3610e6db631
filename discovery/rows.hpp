// The rows of the dashboard's state and jobs APIs that naming a paused worker takes, read from JSON.
//
// Pure functions; none throws for foreign input. A row that cannot be trusted is left out with a warning; filters
// are applied again here, because older dashboards ignore those they do not know. Errors say what is wrong with
// the whole document, as the end of a sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "discovery/answer.hpp"

namespace discovery {

/// The most rows the state API gives in one answer (ray.util.state: RAY_MAX_LIMIT_FROM_API_SERVER).
inline constexpr std::size_t state_api_limit = 10000;

struct WorkerRow {
    std::string worker_id;
    bool driver = false;
    std::string node_id;
    std::string ip;  ///< without brackets
    std::int64_t pid = 0;
    std::uint16_t port = 0;
    std::int64_t paused_threads = 0;
};

struct TaskRow {
    std::string task_id;
    std::string worker_id;
    std::string name;
    std::string function;   ///< func_or_class_name: "square", "Counter.add"
    std::string actor_id;   ///< empty for a task that is no actor's
    bool creation = false;  ///< an actor's constructor
    std::string job_id;
    std::int64_t attempt = 0;
    std::int64_t started = 0;  ///< start_time_ms, else 0
    std::int64_t created = 0;  ///< creation_time_ms, else 0
};

struct ActorRow {
    std::string actor_id;
    std::string name;  ///< empty for an unnamed actor
};

struct JobRow {
    std::string job_id;
    std::string submission_id;  ///< empty for a driver that nobody submitted
    std::string entrypoint;
};

/// Parses a whole body, with what nlohmann_json refuses (lone surrogates, invalid UTF-8) replaced and big fields
/// that nobody reads left out.
Outcome<nlohmann::json, std::string> parse_document(const std::string& body);

/// Alive workers with a debug port: with `listening` all of them, else those with paused threads.
///
/// `total` is of no use here: on Ray 2.60 it counts every worker, `num_after_truncation` only the paused ones.
Outcome<Rows<WorkerRow>, std::string> read_workers(const nlohmann::json& document, bool listening);

/// Tasks that run, of every worker. Incomplete also where the cluster dropped task events (total >
/// num_after_truncation).
Outcome<Rows<TaskRow>, std::string> read_tasks(const nlohmann::json& document);

Outcome<Rows<ActorRow>, std::string> read_actors(const nlohmann::json& document);

/// The list of /api/jobs/; jobs whose driver has not started have no job id and are left out.
Outcome<std::vector<JobRow>, std::string> read_jobs(const nlohmann::json& document);

}  // namespace discovery

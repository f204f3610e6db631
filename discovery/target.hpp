// What a user picks: a worker with a debug port, and what runs in it. One row of `ray-dap targets --json`.
//
// Plain values; free functions convert to and from that contract and never throw for foreign input.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace discovery {

enum class TargetKind { task, actor, driver, worker };

/// Empty strings mean "unset" (null in JSON).
struct Target {
    std::string target;                    ///< worker id
    TargetKind kind = TargetKind::worker;  ///< worker: what runs in it is not known (yet)
    std::string name;                      ///< "square", "Counter.add", "Waiter.{a|b}", a driver's entrypoint
    std::string task_id;                   ///< unset where several tasks run in the worker
    std::string actor_id;
    std::string actor_name;
    std::string job_id;
    std::string submission_id;
    std::string node_id;
    std::string ip;          ///< IPv6 without brackets
    std::uint16_t port = 0;  ///< debugpy's port
    std::int64_t pid = 0;
    std::string state;                ///< waiting, attached, held or listening; discovery says waiting or listening
    std::int64_t paused_threads = 0;  ///< threads that wait for a client
    std::int64_t paused_at = 0;       ///< order in which pauses were first seen; 0: not paused. Not part of the JSON

    bool operator==(const Target&) const = default;
};

/// "task", "actor", "driver" or "worker".
const char* to_string(TargetKind kind);

/// The row of `targets --json`: every field, null where it is unset.
nlohmann::json to_json(const Target& target);

/// The target that such a row describes; fields that are missing or of a wrong type stay unset.
Target from_json(const nlohmann::json& row);

}  // namespace discovery

// What the bridge must be told about workers: the one door through which dap/ sees the cluster.
//
// dap/ knows nothing of Ray or HTTP; whoever implements this does. All calls are made on the I/O thread and
// return at once; answers that need the network arrive later as Bridge::workers_changed() on that same thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"

namespace dap {

/// A worker that has a debug port.
struct Worker {
    std::string id;          ///< unique in the cluster and over time
    std::string name;        ///< what runs in it, for people: "square", "Counter.add"
    bool named = true;       ///< false: the cluster does not say yet what runs in it
    std::string ip;          ///< address the cluster reported; IPv6 without brackets
    std::uint16_t port = 0;  ///< debugpy's port
    std::int64_t pid = 0;
    bool waiting = false;         ///< paused, waiting for a client
    std::int64_t subprocess = 0;  ///< pid of a process that the worker started, as debugpy's subProcessId; 0: none
    std::int64_t paused_at = 0;   ///< order of pausing: smaller waited longer
    nlohmann::json info;          ///< the row of `targets --json`; the bridge overwrites `state` and `paused_threads`

    /// "square · pid 8552 @ 10.0.3.7", the name users see everywhere.
    std::string label() const;
    /// "10.0.3.7:55143", IPv6 in brackets.
    std::string address() const;
};

/// What the cluster looked like at one moment.
struct WorkerSnapshot {
    std::uint64_t number = 0;      ///< grows by one with every completed look at the cluster; 0 = none yet
    std::optional<Error> trouble;  ///< why the last look failed; `workers` then holds what was known before
    std::vector<Worker> workers;   ///< waiting workers; with `listening` asked for, every worker that listens
};

class WorkerSource {
  public:
    virtual ~WorkerSource() = default;

    /// The newest snapshot.
    virtual const WorkerSnapshot& snapshot() const = 0;

    /// Starts a look at the cluster that begins after this call, unless one that does is already asked for.
    /// Returns the number that the snapshot it makes will have at least. With `listening`, that snapshot holds
    /// the workers that listen without being paused, too.
    virtual std::uint64_t refresh(bool listening) = 0;

    /// Tells how many sessions wait for a worker to pause: more than none makes polling frequent.
    virtual void set_waiting_sessions(std::size_t count) = 0;

    /// Indices of `candidates` that `arguments` (attach: `target`, `job`, `node`) mean, in their order.
    /// Errors: ambiguous_target for an id prefix that fits several ids, invalid_arguments for a malformed target.
    virtual Result<std::vector<std::size_t>> choose(const std::vector<Worker>& candidates,
                                                    const nlohmann::json& arguments) const = 0;

    /// Whether `target` has the form of an id, a pid or `pid@ip`: it then means one worker, not whatever comes.
    virtual bool names_one(const std::string& target) const = 0;

    /// A Python expression to evaluate in the worker once `attach` was sent and before its stop is taken. It applies
    /// what debugpy itself cannot be told: socket tuning, path mappings, filters that keep the user's frame on top.
    /// `first` is false for a worker that a former session attached: then all of `arguments` must be applied.
    virtual std::string setup_expression(const nlohmann::json& arguments, bool first) const = 0;

    /// Its counterpart, evaluated before the bridge leaves the worker, so that no thread stops when nobody is there.
    virtual std::string leave_expression() const = 0;
};

}  // namespace dap

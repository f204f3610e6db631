// The breakpoints of a merged session: set once by the client, in many workers.
//
// A breakpoint is verified where one worker at least has it. Answers and events of workers change that; what changed is
// for the client to hear as `breakpoint` events. Pure bookkeeping, used on the I/O thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

namespace dap {

class MergedBreakpoints {
  public:
    /// One request of the client that stays in force until the next of the same key.
    struct Request {
        std::string command;
        nlohmann::json arguments;  ///< as workers are to have them
        nlohmann::json source;     ///< as the client named it; null for functions
        std::int64_t number = 0;   ///< grows with every request
        bool for_workers = true;   ///< false: they would not know the source
    };

    /// Takes `setBreakpoints` or `setFunctionBreakpoints` as the client said it: in force from now on instead of what
    /// it set before in that source. Returns the key.
    std::string set(const std::string& command, nlohmann::json arguments);
    /// What a worker that joins must be told.
    const std::map<std::string, Request>& requests() const { return m_requests; }
    /// The body of the client's response to its newest request of `key`, as far as workers have answered. From here on
    /// the client knows these breakpoints, and hears of changes.
    nlohmann::json body(const std::string& key);
    /// The same for a request that a newer one has replaced meanwhile; `wanted`: its own breakpoints.
    static nlohmann::json replaced_body(const nlohmann::json& wanted);

    // Each returns the breakpoints that are now another for the client, as bodies of `breakpoint` events.

    /// A worker answered request `number` of `key` with `breakpoints`. Answers to a former request change nothing.
    std::vector<nlohmann::json> answered(const std::string& key, std::int64_t number, int worker,
                                         const nlohmann::json& breakpoints);
    /// A worker sent a `breakpoint` event.
    std::vector<nlohmann::json> changed(int worker, const nlohmann::json& breakpoint);
    /// A worker is gone.
    std::vector<nlohmann::json> left(int worker);

    /// The client's numbers for those of a worker (`hitBreakpointIds`); what is not known is left out.
    nlohmann::json client_ids(int worker, const nlohmann::json& ids) const;

  private:
    struct Breakpoint {
        std::int64_t id = 0;
        std::string key;
        nlohmann::json wanted;                  ///< the client's own
        bool told = false;                      ///< whether the client knows its id
        std::map<int, nlohmann::json> workers;  ///< what each worker made of it
        std::set<int> verified_by;
    };

    nlohmann::json state(const Breakpoint& breakpoint) const;
    /// Null: the worker is gone.
    void note(Breakpoint& breakpoint, int worker, const nlohmann::json& made, std::vector<nlohmann::json>& changes);
    void drop(const std::string& key);

    std::int64_t m_last_id = 0;
    std::int64_t m_last_request = 0;
    std::map<std::string, Request> m_requests;
    std::map<std::string, std::vector<std::int64_t>> m_ids;  ///< by key, in the client's order
    std::unordered_map<std::int64_t, Breakpoint> m_breakpoints;
    std::map<int, std::unordered_map<std::int64_t, std::int64_t>> m_by_worker;  ///< worker -> its id -> ours
};

}  // namespace dap

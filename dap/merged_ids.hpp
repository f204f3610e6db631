// Finds the ids in the messages of a merged session and rewrites them, both ways.
//
// Each kind of id is known by its name and place (DAP 1.70: the types that the messages refer to). What carries no id
// stays as it is. Used on the I/O thread.
#pragma once

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"
#include "dap/id_map.hpp"

namespace dap {

class MergedIds {
  public:
    enum class Kind { thread, frame, variable, source, module, step_in_target, goto_target };

    std::int64_t to_client(Kind kind, int worker, std::int64_t id) { return map(kind).to_client(worker, id); }

    /// Rewrites the ids in the body of a worker's response or event; `name` is its `command` or `event`. Breakpoints
    /// have ids of their own (MergedBreakpoints).
    void to_client(int worker, std::string_view name, nlohmann::json& body);

    /// Rewrites the ids in a client's arguments to those of the worker that they belong to: its number, or 0 where
    /// they name none. Errors: invalid_request for ids that nobody has (any more), or that belong to two workers.
    Result<int> to_worker(std::string_view command, nlohmann::json& arguments) const;

    /// The worker runs on: its frames and variables are gone (DAP, "Lifetime of objects references").
    void forget_stop(int worker);
    void forget_thread(int worker, std::int64_t thread) { map(Kind::thread).forget(worker, thread); }
    /// The worker is gone.
    void forget(int worker);

  private:
    static constexpr std::size_t kinds = 7;
    IdMap& map(Kind kind) { return m_maps[static_cast<std::size_t>(kind)]; }
    const IdMap& map(Kind kind) const { return m_maps[static_cast<std::size_t>(kind)]; }
    void rewrite(int worker, std::string_view name, std::string_view list, nlohmann::json& value);

    std::array<IdMap, kinds> m_maps;
};

}  // namespace dap

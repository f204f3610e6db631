// Numbers of many workers as numbers of one client, both ways.
//
// Every debugpy counts its threads, frames and variables from one. Here each pair of worker and number gets a number of
// its own, which is never used twice: what a client remembers too long is unknown, never somebody else's. Pure
// bookkeeping, used on the I/O thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace dap {

class IdMap {
  public:
    struct Local {
        int worker;
        std::int64_t id;
    };

    /// The client's number for `id` of `worker`: the same each time, until it is forgotten.
    std::int64_t to_client(int worker, std::int64_t id);
    /// Nothing for a number that was never given, or is forgotten.
    std::optional<Local> to_worker(std::int64_t id) const;
    /// The worker's numbers are void.
    void forget(int worker);
    void forget(int worker, std::int64_t id);

  private:
    // DAP keeps references within 31 bits ("variablesReference"); two thousand million of them are a long session.
    std::int64_t m_last = 0;
    std::unordered_map<std::int64_t, Local> m_locals;
    std::unordered_map<int, std::unordered_map<std::int64_t, std::int64_t>> m_by_worker;
};

}  // namespace dap

// Waits for several answers, or for a deadline, whichever comes first.
//
// Kept alive by the callbacks that count on it; when they go, it goes. Used on the I/O thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "dap/wire.hpp"

namespace dap {

class Gather {
  public:
    Gather(Timers& timers, std::function<void()> done) : m_deadline(timers), m_done(std::move(done)) {}

    /// One more answer is to come.
    void expect() { ++m_missing; }
    void arrived() {
        --m_missing;
        finish_if_complete();
    }
    /// All that is to come was expected: `done` is called once, at once where nothing is missing.
    void wait(std::chrono::milliseconds within) {
        m_waiting = true;
        m_deadline.set(within, [this] { finish(); });
        finish_if_complete();
    }

  private:
    void finish_if_complete() {
        if (m_waiting && m_missing == 0)
            finish();
    }
    void finish() {
        m_deadline.clear();
        if (const auto done = std::exchange(m_done, nullptr))
            done();
    }

    Deadline m_deadline;
    std::function<void()> m_done;
    std::size_t m_missing = 0;
    bool m_waiting = false;
};

}  // namespace dap

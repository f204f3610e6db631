// A group of coroutines that end before their group does: counted, and their bugs reported.
//
// Included only by the few files that do I/O. Used on one thread.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>

namespace dap {

class TaskGroup {
  public:
    /// Runs `task` on `executor`. A task ends when the socket or timer it waits for is closed; an exception that
    /// leaves it is a bug, and is logged.
    template <class Executor>
    void spawn(const Executor& executor, boost::asio::awaitable<void> task) {
        ++m_running;
        boost::asio::co_spawn(executor, std::move(task), [this](const std::exception_ptr& failure) {
            --m_running;
            report(failure);
            if (m_running == 0 && m_when_empty)
                std::exchange(m_when_empty, nullptr)();
        });
    }

    /// Calls `function` once no task runs.
    void when_empty(std::function<void()> function) {
        if (m_running == 0)
            function();
        else
            m_when_empty = std::move(function);
    }

  private:
    static void report(const std::exception_ptr& failure) {
        if (!failure)
            return;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            spdlog::error("bug: an exception left a coroutine: {}", error.what());
        }
    }

    std::size_t m_running = 0;
    std::function<void()> m_when_empty;
};

}  // namespace dap

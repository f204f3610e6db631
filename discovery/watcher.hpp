// Watches the cluster from a thread of its own and tells, look by look, what is attachable.
//
// Owns the Dashboard, which only that thread uses. refresh() and set_waiting() return at once and may be called from
// any thread; the callback runs on the watcher's thread and must not throw. The destructor ends a look under way and
// joins; no callback runs after it. A failed look keeps the targets known before it and says why in `trouble`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "discovery/dashboard.hpp"
#include "discovery/target_model.hpp"

namespace discovery {

/// What one look at the cluster saw.
struct Snapshot {
    std::uint64_t number = 0;           ///< counts looks, from 1
    std::optional<Trouble> trouble;     ///< why the look failed; `targets` are then those of before
    std::vector<std::string> warnings;  ///< what may be missing in it, for people
    std::vector<Target> targets;        ///< longest-paused first
    bool listening = false;             ///< the look asked for workers that listen without being paused, too
};

class Watcher {
  public:
    using Callback = std::function<void(std::shared_ptr<const Snapshot>)>;

    /// Pauses between the end of a look and the next one.
    struct Pace {
        std::chrono::milliseconds waiting{250};  ///< while somebody waits for a worker to pause
        std::chrono::milliseconds idle{2000};
    };

    /// Starts with a look at once.
    Watcher(std::unique_ptr<Dashboard> dashboard, Callback callback, Pace pace);
    Watcher(std::unique_ptr<Dashboard> dashboard, Callback callback);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    /// Asks for a look that begins after this call, with `listening` also at workers that only listen. Returns the
    /// number that its snapshot will have; requests made before that look begins share it.
    std::uint64_t refresh(bool listening);

    /// Tells how many sessions wait for a worker to pause; more than none makes looks frequent.
    void set_waiting(std::size_t count);

  private:
    void run();
    Snapshot look(std::uint64_t number, bool listening);
    void name_targets(Snapshot& snapshot);

    const std::unique_ptr<Dashboard> m_dashboard;
    const Callback m_callback;
    const Pace m_pace;
    TargetModel m_model;  ///< of the watcher's thread

    std::mutex m_mutex;  ///< guards what follows
    std::condition_variable m_changed;
    std::uint64_t m_started = 0;  ///< number of the look under way or last made
    bool m_asked = false;
    bool m_asked_listening = false;
    std::size_t m_waiting = 0;
    bool m_stopping = false;
    bool m_ended = false;
    std::thread m_thread;
};

}  // namespace discovery

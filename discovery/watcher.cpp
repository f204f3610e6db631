#include "discovery/watcher.hpp"

#include <utility>

namespace discovery {
namespace {

using Clock = std::chrono::steady_clock;

/// Workers asked about one by one in a look, where the list of all tasks was cut short.
constexpr std::size_t singly_asked = 16;
constexpr std::chrono::milliseconds stop_again{20};

}  // namespace

Watcher::Watcher(std::unique_ptr<Dashboard> dashboard, Callback callback)
    : Watcher(std::move(dashboard), std::move(callback), Pace()) {}

Watcher::Watcher(std::unique_ptr<Dashboard> dashboard, Callback callback, Pace pace)
    : m_dashboard(std::move(dashboard)), m_callback(std::move(callback)), m_pace(pace), m_thread([this] { run(); }) {}

Watcher::~Watcher() {
    {
        std::unique_lock lock(m_mutex);
        m_stopping = true;
        m_changed.notify_all();
        // A request that starts just now may miss one stop(), hence more than one.
        while (!m_ended) {
            lock.unlock();
            m_dashboard->stop();
            lock.lock();
            m_changed.wait_for(lock, stop_again, [this] { return m_ended; });
        }
    }
    m_thread.join();
}

std::uint64_t Watcher::refresh(bool listening) {
    const std::lock_guard lock(m_mutex);
    m_asked = true;
    m_asked_listening = m_asked_listening || listening;
    m_changed.notify_all();
    return m_started + 1;
}

void Watcher::set_waiting(std::size_t count) {
    const std::lock_guard lock(m_mutex);
    m_waiting = count;
    m_changed.notify_all();
}

void Watcher::run() {
    std::unique_lock lock(m_mutex);
    while (!m_stopping) {
        const std::uint64_t number = ++m_started;
        const bool listening = m_asked_listening;
        m_asked = false;
        m_asked_listening = false;
        lock.unlock();
        auto snapshot = std::make_shared<const Snapshot>(look(number, listening));
        const auto ended = Clock::now();
        lock.lock();
        if (m_stopping)
            break;
        lock.unlock();
        m_callback(std::move(snapshot));
        lock.lock();
        while (!m_stopping && !m_asked) {
            const auto next = ended + (m_waiting > 0 ? m_pace.waiting : m_pace.idle);
            if (m_changed.wait_until(lock, next) == std::cv_status::timeout)
                break;
        }
    }
    m_ended = true;
    m_changed.notify_all();
}

Snapshot Watcher::look(std::uint64_t number, bool listening) {
    Snapshot snapshot;
    snapshot.number = number;
    snapshot.listening = listening;
    auto workers = listening ? m_dashboard->listening_workers() : m_dashboard->paused_workers();
    if (workers) {
        snapshot.warnings = std::move(workers->warnings);
        m_model.update_workers(*workers, listening, Clock::now());
        name_targets(snapshot);
    } else {
        snapshot.trouble = workers.error();
    }
    snapshot.targets = m_model.targets();
    return snapshot;
}

void Watcher::name_targets(Snapshot& snapshot) {
    // Trouble here costs names, not targets.
    const auto warn = [&](const Trouble& trouble) {
        if (trouble.kind != Trouble::Kind::stopped)
            snapshot.warnings.push_back("Names may be missing or old. " + trouble.message);
    };
    const auto wanted = m_model.wanted_names(Clock::now());
    if (!wanted.empty()) {
        auto tasks = wanted.size() == 1 ? m_dashboard->running_tasks(wanted.front()) : m_dashboard->running_tasks();
        if (!tasks)
            return warn(tasks.error());
        auto missing = m_model.update_tasks(*tasks, wanted, Clock::now());
        if (wanted.size() == 1)
            missing.clear();
        if (missing.size() > singly_asked)
            missing.resize(singly_asked);
        for (const std::string& worker : missing) {
            auto one = m_dashboard->running_tasks(worker);
            if (!one)
                return warn(one.error());
            m_model.update_tasks(*one, {worker}, Clock::now());
        }
    }
    if (const auto actors = m_model.wanted_actors(); !actors.empty()) {
        auto answer = m_dashboard->actors(actors);
        if (!answer)
            return warn(answer.error());
        m_model.update_actors(answer->rows, actors);
    }
    if (m_model.wants_jobs(Clock::now())) {
        auto answer = m_dashboard->jobs();
        if (!answer)
            return warn(answer.error());
        m_model.update_jobs(*answer);
    }
}

}  // namespace discovery

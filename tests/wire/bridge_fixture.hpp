// A real bridge on a real I/O loop, on a thread of its own and a free loopback port, with a cluster that tests set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/bridge.hpp"
#include "dap/io_loop.hpp"
#include "dap/worker_source.hpp"

namespace wire {

/// A cluster without a network. Used on the I/O thread only.
class FakeSource : public dap::WorkerSource {
  public:
    FakeSource(dap::Timers& timers, std::function<void()> changed);

    /// A look at the cluster is over: the next snapshot, with the number that was asked for last at least.
    void publish();
    /// Whether refresh() is followed by a snapshot of itself; it is at first.
    void set_automatic(bool automatic) { m_automatic = automatic; }
    void set_workers(std::vector<dap::Worker> workers) { m_snapshot.workers = std::move(workers); }
    void set_trouble(std::optional<dap::Error> trouble) { m_snapshot.trouble = std::move(trouble); }
    int refreshes() const { return m_refreshes; }
    std::size_t waiting_sessions() const { return m_waiting_sessions; }

    const dap::WorkerSnapshot& snapshot() const override { return m_snapshot; }
    std::uint64_t refresh(bool listening) override;
    void set_waiting_sessions(std::size_t count) override { m_waiting_sessions = count; }
    dap::Result<std::vector<std::size_t>> choose(const std::vector<dap::Worker>& candidates,
                                                 const nlohmann::json& arguments) const override;
    /// Ids of fake workers begin with "worker-".
    std::string leave_expression() const override { return "leave"; }
    bool names_one(const std::string& target) const override { return target.rfind("worker-", 0) == 0; }
    std::string setup_expression(const nlohmann::json& arguments, bool first) const override;

  private:
    std::function<void()> m_changed;
    dap::Deadline m_next;
    dap::WorkerSnapshot m_snapshot;
    std::uint64_t m_needed = 0;
    int m_refreshes = 0;
    std::size_t m_waiting_sessions = 0;
    bool m_automatic = true;
};

/// Members are called by the test's thread.
class BridgeFixture {
  public:
    explicit BridgeFixture(std::vector<dap::Worker> workers = {}, std::string token = "");
    ~BridgeFixture();
    BridgeFixture(const BridgeFixture&) = delete;
    BridgeFixture& operator=(const BridgeFixture&) = delete;

    std::uint16_t port() const { return m_port; }

    /// Runs `function` on the I/O thread and waits for its end.
    void on_loop(const std::function<void()>& function);
    /// The cluster looks like this now.
    void set_workers(std::vector<dap::Worker> workers);
    void with_source(const std::function<void(FakeSource&)>& function);
    int refreshes();
    /// Rows of `targets --json`.
    nlohmann::json targets();
    /// Waits until the row of worker `id` says `state`.
    void wait_for_state(const std::string& id, const std::string& state);

    /// Ends the bridge in order, as at SIGTERM, and waits.
    void stop();

  private:
    dap::IoLoop m_loop;
    std::unique_ptr<FakeSource> m_source;
    std::unique_ptr<dap::Bridge> m_bridge;
    std::uint16_t m_port = 0;
    std::thread m_thread;
};

/// Asks `condition` again and again until it is true; throws std::runtime_error(`what`) at the deadline.
void wait_until(const std::string& what, const std::function<bool()>& condition);

/// Descriptors this process has open.
std::size_t open_descriptors();

}  // namespace wire

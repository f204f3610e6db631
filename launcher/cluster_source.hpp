// Gives the bridge its view of the cluster: discovery's watcher, brought onto the I/O thread.
#pragma once

#include <functional>
#include <memory>

#include "dap/io_loop.hpp"
#include "dap/worker_source.hpp"
#include "discovery/selector.hpp"
#include "discovery/target.hpp"
#include "discovery/watcher.hpp"
#include "discovery/worker_setup.hpp"

namespace launcher {

/// What discovery says of a worker, as the bridge wants it.
dap::Worker to_worker(const discovery::Target& target);
/// What discovery says of the dashboard, as an error of ours.
dap::Error to_error(const discovery::Trouble& trouble);

class ClusterSource : public dap::WorkerSource {
  public:
    /// Starts to watch. `changed` is called on the I/O thread after each look at the cluster; `loop` must outlive this
    /// object, and be stopped before it goes.
    ClusterSource(dap::IoLoop& loop, std::unique_ptr<discovery::Dashboard> dashboard, std::function<void()> changed);

    const dap::WorkerSnapshot& snapshot() const override { return m_snapshot; }
    std::uint64_t refresh(bool listening) override;
    void set_waiting_sessions(std::size_t count) override;
    dap::Result<std::vector<std::size_t>> choose(const std::vector<dap::Worker>& candidates,
                                                 const nlohmann::json& arguments) const override;
    bool names_one(const std::string& target) const override { return discovery::names_one(target); }
    std::string setup_expression(const nlohmann::json& arguments, bool first) const override;

    std::string leave_expression() const override { return discovery::leave_expression(); }

  private:
    void take(const discovery::Snapshot& snapshot);

    std::function<void()> m_changed;
    dap::WorkerSnapshot m_snapshot;
    std::string m_logged_trouble;
    discovery::Watcher m_watcher;  // last: its thread uses the rest
};

}  // namespace launcher

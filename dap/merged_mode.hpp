// A session that shows many workers as threads.
//
// It watches the cluster; every worker that pauses and matches joins by a link of its own, and what the client set so
// far is set there before the worker takes part. Ids are rewritten both ways (MergedIds), breakpoints merged
// (MergedBreakpoints). See SessionMode for threads and ownership.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "dap/attach_arguments.hpp"
#include "dap/cluster_watch.hpp"
#include "dap/merged_breakpoints.hpp"
#include "dap/merged_ids.hpp"
#include "dap/merged_worker.hpp"
#include "dap/session.hpp"
#include "dap/session_mode.hpp"

namespace dap {

class MergedMode : public SessionMode {
  public:
    /// Answers the attach after the first look at the cluster; with `wait`, once a worker is linked or none can be.
    MergedMode(Session& session, Bridge& bridge, Timers& timers, std::int64_t attach_seq, AttachArguments arguments);
    ~MergedMode() override;

    bool is_over() const override { return m_state == State::over; }
    void on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) override;
    void on_response(const std::string& body, const Envelope& response) override;
    void on_disconnect(const nlohmann::json& arguments) override;
    void on_client_lost() override;
    void on_congested(bool congested) override;
    void shut_down() override;
    bool has(const Link& link) const override;
    void yield(Link& link, const std::string& other) override;
    bool watches() const override { return m_state == State::waiting || m_state == State::open; }
    void look() override;
    void forget(const std::string& worker_id) override { m_watch.forget(worker_id); }

    // For its workers.
    const AttachArguments& arguments() const { return m_arguments; }
    Session& session() const { return m_session; }
    MergedIds& ids() { return m_ids; }
    MergedBreakpoints& breakpoints() { return m_breakpoints; }
    /// What was set in the worker before it takes part.
    void on_ready(MergedWorker& worker);
    void on_attached(MergedWorker& worker);
    /// The worker's link ended. Destroys `worker`.
    void on_ended(MergedWorker& worker, const Error& reason);
    void on_subprocess(MergedWorker& worker, const std::string& body);
    void on_reverse_request(MergedWorker& worker, const std::string& body, const Envelope& envelope);
    void send_breakpoints(const std::vector<nlohmann::json>& changes);
    /// A worker came to its first stop, or has none any more.
    void count_stopped(bool more);
    /// Whether a stop of this worker may take the user's eyes: they wait for it, or look at no other.
    bool may_take_focus(const MergedWorker& worker) const;
    void focus(const MergedWorker& worker) { m_focus = worker.number(); }

  private:
    enum class State { waiting, open, ending, over };
    using Workers = std::map<int, std::unique_ptr<MergedWorker>>;

    void begin();
    void fail_attach(const Error& error);
    void fail_if_nothing();
    Error why_nothing() const;
    /// Leaves all links at once: held, or let go.
    void leave_workers(bool hold);
    void join(const Worker& worker);
    void join_more();
    /// Sets the client's breakpoints of `key` in the worker.
    void set_up(MergedWorker& worker, const std::string& key, std::function<void()> done);
    /// Nobody joins any more; subprocesses among them are let go.
    void drop_queue();
    void remove(MergedWorker& worker);
    void part(Parting parting);
    void end_if_empty();

    void on_configuration_done(const Envelope& request);
    void on_set_breakpoints(const Envelope& request, nlohmann::json arguments);
    void on_threads(const Envelope& request);
    void on_pause(const Envelope& request, nlohmann::json arguments);
    void on_cancel(const Envelope& request, const nlohmann::json& arguments);
    void on_modules(const Envelope& request, const nlohmann::json& arguments);
    void to_its_worker(const Envelope& request, nlohmann::json arguments);
    /// The worker that a request without ids means: the one the user looks at.
    MergedWorker* focused() const;
    MergedWorker* worker(int number) const;

    Session& m_session;
    Bridge& m_bridge;
    Timers& m_timers;
    std::int64_t m_attach_seq;  ///< 0: answered
    AttachArguments m_arguments;
    ClusterWatch m_watch;
    Deadline m_wait_end;
    Deadline m_congestion_end;
    State m_state = State::waiting;
    bool m_configured = false;

    MergedIds m_ids;
    MergedBreakpoints m_breakpoints;
    nlohmann::json m_exception_breakpoints;  ///< null: the client set none
    nlohmann::json m_told_capabilities;      ///< corrections that the client knows
    int m_last_number = 0;
    Workers m_workers;  ///< by number, from their link's start on
    std::map<const Link*, int> m_numbers;
    std::deque<Worker> m_to_join;
    std::set<std::pair<std::string, std::int64_t>> m_failed;  ///< pauses that could not be attached
    std::optional<Error> m_last_failure;
    std::size_t m_joining = 0;
    std::size_t m_stopped_workers = 0;
    int m_focus = 0;
    int m_acted = 0;                                                 ///< the worker that the client last had run
    std::map<std::int64_t, std::pair<int, std::int64_t>> m_reverse;  ///< our request -> worker, its number
};

}  // namespace dap

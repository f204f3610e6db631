// The bridge: sessions on one side, links on the other, and who has which.
//
// Pure bookkeeping without I/O; runs on the I/O thread. It owns all sessions and links. A worker has at most one link,
// a link at most one session; a link without a session is held. Objects that end are destroyed in a later turn of the
// loop, so that no callback ever returns into freed memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/link.hpp"
#include "dap/session.hpp"
#include "dap/wire.hpp"
#include "dap/worker_source.hpp"

namespace dap {

struct BridgeOptions {
    /// What clients must give as attach argument `token`; empty: nothing is demanded.
    std::string token;
};

class Bridge {
  public:
    /// All references must outlive the bridge.
    Bridge(WorkerSource& source, Connector& connector, Timers& timers, BridgeOptions options);
    ~Bridge();

    /// A client connected. The caller makes a wire that reports to the returned session and gives it to
    /// Session::open at once.
    Session& add_session();

    /// The source has a new snapshot.
    void workers_changed();

    /// Releases every worker and tells every client. `done` is called once, when all is over or after 4 s.
    void shut_down(std::function<void()> done);

    /// Rows of `targets --json` as of now: the snapshot's workers, and those attached or held by this bridge.
    nlohmann::json targets() const;

    // For sessions.
    const BridgeOptions& options() const { return m_options; }
    /// Puts the session into the queue for workers. Returns the number of the first snapshot that can tell it that
    /// nothing is paused.
    std::uint64_t find_worker(Session& session);
    void stop_finding(Session& session);
    /// The session's wait is over: fails its attach with the reason.
    void give_up(Session& session);
    /// Answers `rayTargets` once a fresh look at the cluster is there.
    void list_targets(Session& session, std::int64_t request_seq, bool listening);
    /// The session no longer uses `link`. `hold_for`: none holds without limit.
    void hold(Link& link, std::optional<std::chrono::milliseconds> hold_for);
    /// Lets the worker go. `why` is logged.
    void release(Link& link, const std::string& why);
    /// Takes the session off `link` and leaves the link as it is.
    void forget(Link& link) { link.unbind(); }
    void closed(Session& session);

  private:
    struct Listing {
        Session* session;
        std::int64_t request_seq;
        std::uint64_t snapshot_needed;
    };

    void assign_workers();
    /// Gives the session a worker, or fails its attach; false if it has to wait on.
    bool assign_worker(Session& session);
    void give(Session& session, const Worker& worker);
    Error why_nothing(const Session& session) const;
    const Session* session_of(const Link& link) const;
    Link* link_of(const Worker& worker) const;
    /// Every worker known: the snapshot's, and those with a link.
    std::vector<Worker> known_workers() const;
    nlohmann::json row(const Worker& worker) const;
    void on_link_ended(Link& link);
    void bury_later();
    void answer_listings();

    WorkerSource& m_source;
    Connector& m_connector;
    Timers& m_timers;
    BridgeOptions m_options;
    int m_last_session = 0;
    std::map<int, std::unique_ptr<Session>> m_sessions;
    std::map<std::string, std::unique_ptr<Link>> m_links;            ///< by worker id
    std::map<std::string, std::unique_ptr<Deadline>> m_hold_limits;  ///< by worker id
    std::vector<Session*> m_waiting;                                 ///< in order of arrival
    std::vector<Listing> m_listings;
    std::vector<std::unique_ptr<Session>> m_dead_sessions;
    std::vector<std::unique_ptr<Link>> m_dead_links;
    Deadline m_burial;
    Deadline m_shutdown_end;
    std::function<void()> m_shutdown_done;
};

}  // namespace dap

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
#include "dap/root_mode.hpp"
#include "dap/session.hpp"
#include "dap/single_mode.hpp"
#include "dap/wire.hpp"
#include "dap/worker_source.hpp"

namespace dap {

struct BridgeOptions {
    /// What clients must give as attach argument `token`; empty: nothing is demanded.
    std::string token;
    /// False where no child session could connect: `merged` then stands in for `children`.
    bool offers_children = true;
};

/// A worker that a root may announce, and the number of its pause: another pause has another number.
struct Pause {
    Worker worker;
    std::int64_t number;
};

/// A worker's link for the session that takes it, and what its use needs.
struct Taken {
    Link& link;
    Connector& connector;
    std::string setup;

    /// Starts a new link, or binds a held one.
    void use(const AttachArguments& arguments, LinkUser& user) const;
};

/// What a one-shot id stands for.
struct Announcement {
    int session = 0;  ///< who announced it
    int root = 0;     ///< the root session above that one, or itself; 0: none
    Worker worker;
    AttachArguments arguments;
    std::unique_ptr<Deadline> expiry;
};

class Bridge : private LinkOwner {
  public:
    /// All references must outlive the bridge.
    Bridge(WorkerSource& source, Connector& connector, Timers& timers, BridgeOptions options);
    ~Bridge() override;

    /// A client connected. The caller makes a wire that reports to the returned session and gives it to
    /// Session::open at once.
    Session& add_session();

    /// The source has a new snapshot.
    void workers_changed();

    /// Releases every worker and tells every client. `done` is called once, when all is over or after 4 s.
    void shut_down(std::function<void()> done);

    /// Rows of `targets --json` as of now: the snapshot's workers, and those attached or held by this bridge.
    nlohmann::json targets() const;

    // For sessions and their modes.
    const BridgeOptions& options() const { return m_options; }
    /// The session of that number; null where it is gone.
    const Session* session(int id) const;

    /// Puts the session into the queue for workers. Returns the number of the first snapshot that can tell it that
    /// nothing is paused.
    std::uint64_t find_worker(SingleMode& mode);
    void stop_finding(SingleMode& mode);
    /// The session's wait is over: fails its attach with the reason.
    void give_up(SingleMode& mode);
    /// Why nothing can be attached that `target` means, or any worker where it is unset.
    Error why_nothing(const std::optional<std::string>& target) const;
    /// The worker's link for `session`: held, or new. The caller binds or starts it at once.
    Taken take(const Session& session, const Worker& worker, const AttachArguments& arguments);
    /// Whether a worker is on its way out of a link, and may wait for the next client soon.
    bool is_unsettled() const;
    /// Whether a session may take the worker: it waits and has no link, or has a held one.
    bool is_free(const Worker& worker) const;
    /// The session no longer uses `link`. `hold_for`: none holds without limit.
    void hold(Link& link, std::optional<std::chrono::milliseconds> hold_for);
    /// Lets the worker go. `why` is logged.
    void release(Link& link, const std::string& why);
    /// Attaches to a subprocess only to let it run.
    void let_go(const Worker& subprocess);

    /// Answers `rayTargets` once a fresh look at the cluster is there.
    void list_targets(Session& session, std::int64_t request_seq, bool listening);
    bool names_one(const std::string& target) const { return m_source.names_one(target); }
    /// Asks for a look that begins now; its number.
    std::uint64_t fresh_look() { return m_source.refresh(false); }
    std::uint64_t snapshot_number() const { return m_source.snapshot().number; }
    /// Why the last look at the cluster failed; empty where it did not.
    std::string trouble() const;

    /// A session began to watch the cluster, which makes looks frequent, or ended that.
    void watchers_changed() { count_waiting(); }
    /// Pauses that `arguments` mean and nobody takes care of. Held workers are among them with `with_held`, and always
    /// where they stopped while held. Errors: as WorkerSource::choose.
    Result<std::vector<Pause>> pauses(const nlohmann::json& arguments, bool with_held) const;
    /// Makes a one-shot id by which a child session may attach `worker`. It expires after a minute.
    std::string announce(const Session& session, const Worker& worker, const AttachArguments& arguments);
    /// Errors: no_such_target for an id that never was, was used, or expired.
    Result<Announcement> take_announcement(const std::string& id);
    /// Gives the mode the very worker that was announced, or fails its attach.
    void give_announced(SingleMode& mode, const Worker& worker);
    /// The announcement is void. A subprocess that was announced by it is let go.
    void expire(const std::string& id);
    void withdraw(const Session& session);
    /// The root's client parts: so do its children, and the held workers that were theirs.
    void end_children(const Session& root, Parting parting);

    void closed(Session& session);

  private:
    struct Listing {
        int session;
        std::int64_t request_seq;
        std::uint64_t snapshot_needed;
    };

    void on_link_gone(Link& link) override;
    void on_orphan(const Worker& subprocess) override { let_go(subprocess); }

    void assign_workers();
    enum class Assigned {
        yes,   ///< or its attach failed
        no,    ///< nothing is there for it
        soon,  ///< what it means is on the way out of another link
    };
    Assigned assign_worker(SingleMode& mode);
    void give(SingleMode& mode, const Worker& worker);
    Error in_session(const Link& link) const;
    Session* session_of(const Link& link) const;
    Link* link_of(const Worker& worker) const;
    Link& add_link(const Worker& worker);
    /// Whether the worker waits for a client, as far as a snapshot from after its last link says.
    bool waits(const Worker& worker) const;
    /// Every worker known: the snapshot's, and those with a link.
    std::vector<Worker> known_workers() const;
    nlohmann::json row(const Worker& worker) const;
    void count_waiting();
    /// Workers that were attached before the cluster said what runs in them get their names.
    void name_links();
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
    std::map<std::string, int> m_root_of;                 ///< worker id -> the root session it was announced by
    std::map<std::string, std::uint64_t> m_fresh_from;    ///< worker id -> first snapshot from after its last link
    std::map<std::string, Announcement> m_announcements;  ///< by one-shot id
    std::vector<SingleMode*> m_waiting;                   ///< in order of arrival
    std::vector<Listing> m_listings;
    std::vector<std::unique_ptr<Session>> m_dead_sessions;
    std::vector<std::unique_ptr<Link>> m_dead_links;
    Deadline m_burial;
    Deadline m_naming;
    std::map<std::string, int> m_naming_looks;  ///< worker id -> looks that were made to name it
    Deadline m_shutdown_end;
    std::function<void()> m_shutdown_done;
};

}  // namespace dap

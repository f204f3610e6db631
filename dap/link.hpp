// One conversation with one worker's debugpy, as a state machine without I/O.
//
// A link outlives the sessions that use it: it knows a LinkUser at most, and goes on without one (the worker is then
// *held*). It numbers requests, sends answers back to whom they belong, and remembers what a later user must be told
// again. Runs on the I/O thread; its user must unbind before it dies. It never deletes itself: it tells its LinkOwner.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/attach_arguments.hpp"
#include "dap/envelope.hpp"
#include "dap/wire.hpp"
#include "dap/worker_source.hpp"

namespace dap {

class Link;

/// Who uses a link: a session.
class LinkUser {
  public:
    virtual ~LinkUser() = default;
    /// The user's options are in force in the worker: breakpoints may be sent.
    virtual void on_link_ready() = 0;
    /// The worker takes part: debugpy answered `attach`, which it does once configuration is done.
    virtual void on_link_attached() = 0;
    /// An event of the worker.
    virtual void on_link_event(const std::string& body, const Envelope& envelope) = 0;
    /// The answer to the user's request number `user_seq`.
    virtual void on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) = 0;
    /// The user's request number `user_seq` will never be answered by the worker.
    virtual void on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) = 0;
    /// A request of the worker; its number is `envelope.seq`.
    virtual void on_link_reverse_request(const std::string& body, const Envelope& envelope) = 0;
    /// The link ended; it may not be used any more.
    virtual void on_link_ended(const Error& reason) = 0;
    virtual void on_link_congested(bool congested) = 0;
};

/// Who owns a link: the bridge.
class LinkOwner {
  public:
    virtual ~LinkOwner() = default;
    /// The link is over and its worker may be linked again. The owner destroys it in a later turn of the loop.
    virtual void on_link_gone(Link& link) = 0;
    /// The worker started a process that waits for a debugger, and nobody uses the link.
    virtual void on_orphan(const Worker& subprocess) = 0;
};

class Link : private WireUser {
  public:
    /// A thread that stands still, and the `stopped` event that said so.
    using Stops = std::map<std::int64_t, nlohmann::json>;

    /// `leave`: the source's leave_expression.
    Link(Worker worker, std::string leave, Timers& timers, LinkOwner& owner);

    const Worker& worker() const { return m_worker; }
    /// Takes what the cluster says by now of what runs in the worker.
    void describe(const Worker& worker);
    LinkUser* user() const { return m_user; }
    /// Whether configurationDone went out: from then on the worker runs under the debugger.
    bool is_configured() const { return m_configured; }
    /// Whether its worker is on the way out: no session may have it until the link is gone.
    bool is_leaving() const { return m_state == State::releasing || m_state == State::ended; }
    const Stops& stops() const { return m_stops; }
    /// Threads that really stand still, with those of `stops` or because of them: debugpy tells of one thread only.
    const std::set<std::int64_t>& suspended() const { return m_suspended; }
    /// Counts stops that came while the link was held; 0 where the last user saw them all.
    std::int64_t unseen_stops() const { return m_unseen_stops; }
    /// debugpy's answer to `initialize`; null before.
    const nlohmann::json& capabilities() const { return m_capabilities; }
    /// The worker's `process` event; null before.
    const nlohmann::json& process() const { return m_process; }

    /// Connects and goes through the handshake up to on_link_ready. `setup` is evaluated in the worker before its
    /// stop can be taken.
    void start(Connector& connector, const AttachArguments& arguments, std::string setup, LinkUser* user);

    /// Attaches only to let the worker go at once: for a subprocess that nobody will debug.
    void let_go(Connector& connector);

    /// A held link gets a new user: what the former one set is cleared, `setup` is evaluated, then on_link_ready.
    void bind(std::string setup, LinkUser& user);

    /// The user goes. It is told that its unanswered requests are lost. A link whose configuration is not done is
    /// released, which leaves the worker waiting as it was; any other is held.
    void unbind();

    /// Forwards a request of the user, `seq` replaced.
    void forward(const std::string& body, const Envelope& envelope);
    /// Sends a request that the user makes itself; it is answered as the user's number `user_seq`.
    void ask(std::int64_t user_seq, std::string_view command, const nlohmann::json& arguments);
    /// Sends a request of the bridge's own; its answer goes nowhere.
    void request(std::string_view command, const nlohmann::json& arguments);
    /// Forwards the user's response to a request of the worker.
    void forward_response(const std::string& body, const Envelope& envelope);
    /// The worker's number for the user's unanswered request `user_seq`; 0 where there is none.
    std::int64_t worker_seq(std::int64_t user_seq) const;

    /// Leaves the worker: one that is under the debugger runs on without, one that still waits for a client goes on
    /// waiting. Sends `disconnect`, never more. The user hears of the end within 5 s.
    void release();
    void pause_reading(bool paused);

  private:
    enum class State { connecting, attaching, setting_up, configuring, attached, releasing, ended };
    enum class Purpose { user, initialize, attach, setup, leave, disconnect, nothing };
    struct Pending {
        Purpose purpose;
        std::int64_t user_seq;
        std::string command;
    };

    void on_connected() override;
    void on_message(std::string body) override;
    void on_closed(const Error& reason) override;
    void on_congested(bool congested) override;

    void on_event(const std::string& body, const Envelope& envelope);
    void on_response(const std::string& body, const Envelope& envelope);
    void on_own_response(const Pending& pending, const std::string& body, const Envelope& envelope);
    void on_setup_done();
    void announce_orphan(const std::string& body);
    void note_event(const std::string& body, const Envelope& envelope);
    void note_request(std::string_view command, const nlohmann::json& arguments);
    void clear_breakpoints();
    void set_up();
    void send(Purpose purpose, std::string_view command, const nlohmann::json& arguments, std::int64_t user_seq = 0);
    void expect(std::chrono::milliseconds within, std::string what);
    void send_leave();
    void send_disconnect();
    void expect_release();
    void end(const Error& reason);
    void tell_lost(LinkUser& user, const Error& reason);
    void rest_and_go();

    Worker m_worker;
    LinkOwner& m_owner;
    LinkUser* m_user = nullptr;
    std::unique_ptr<Wire> m_wire;
    Deadline m_deadline;
    State m_state = State::connecting;
    bool m_configured = false;
    bool m_rebinding = false;      ///< ready means "attached already"
    bool m_stop_is_due = false;    ///< the worker waited and was let through, but did not tell of its stop yet
    bool m_disconnecting = false;  ///< the leave was answered, or took too long
    bool m_letting_go = false;     ///< released as soon as it is attached
    nlohmann::json m_attach;
    std::string m_setup;
    std::string m_leave;
    std::int64_t m_seq = 0;
    std::unordered_map<std::int64_t, Pending> m_pending;

    nlohmann::json m_capabilities;
    nlohmann::json m_process;
    Stops m_stops;
    std::set<std::int64_t> m_suspended;
    std::int64_t m_unseen_stops = 0;
    std::set<std::string> m_sources;  ///< sources with breakpoints, each as JSON text
    bool m_has_function_breakpoints = false;
};

}  // namespace dap

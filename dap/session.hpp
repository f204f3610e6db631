// One conversation with one client, as a state machine without I/O: a `single` session shows exactly one worker.
//
// It answers what must be answered before a worker is known, asks the Bridge for one, and then forwards messages
// between client and link, rewriting only what a rule of ARCHITECTURE.md names. Runs on the I/O thread; owned by the
// Bridge, which destroys it in a later turn of the loop after `closed`.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "dap/attach_arguments.hpp"
#include "dap/envelope.hpp"
#include "dap/link.hpp"
#include "dap/wire.hpp"

namespace dap {

class Bridge;

class Session : public WireUser, private LinkUser {
  public:
    Session(int id, Bridge& bridge, Timers& timers);
    ~Session() override;

    /// Gives the session its client's wire. Called once, before any message.
    void open(std::unique_ptr<Wire> client);

    int id() const { return m_id; }
    /// "session 3 (vscode)", for errors and logs.
    std::string label() const;

    bool has(const Link& link) const { return m_link == &link; }

    // Called by the bridge while the session waits for a worker.
    const AttachArguments& arguments() const { return m_arguments; }
    /// The first snapshot that is new enough to say that nothing is paused.
    std::uint64_t snapshot_needed() const { return m_snapshot_needed; }
    /// Whether this pause of this worker was tried and failed.
    bool has_tried(const Worker& worker) const;
    /// Why the last worker that was tried could not be attached.
    const std::optional<Error>& last_failure() const { return m_last_failure; }
    /// Says what is being waited for, where the client shows it.
    void show_waiting(const std::string& state);
    void fail_attach(const Error& error);
    /// `link` is new, or held by nobody.
    void use(Link& link, Connector& connector, const std::string& setup);

    /// Answers a request of its client that the bridge took over.
    void respond(std::int64_t request_seq, std::string_view command, const nlohmann::json& body);
    void respond_error(std::int64_t request_seq, std::string_view command, const Error& error);

    /// The bridge ends: tells the client. The link is left as it is.
    void shut_down();

    // WireUser: the client's side.
    void on_message(std::string body) override;
    void on_closed(const Error& reason) override;
    void on_congested(bool congested) override;

  private:
    enum class State { fresh, initialized, waiting, linking, configuring, active, ended, closed };

    // LinkUser: the worker's side.
    void on_link_ready() override;
    void on_link_attached() override;
    void on_link_event(const std::string& body, const Envelope& envelope) override;
    void on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) override;
    void on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) override;
    void on_link_reverse_request(const std::string& body, const Envelope& envelope) override;
    void on_link_ended(const Error& reason) override;
    void on_link_congested(bool congested) override;

    void on_request(const std::string& body, const Envelope& envelope);
    void on_initialize(const Envelope& request, const nlohmann::json& arguments);
    void on_attach(const Envelope& request, const nlohmann::json& arguments);
    void on_configuration_done(const std::string& body, const Envelope& request);
    void on_set_exception_breakpoints(const Envelope& request, nlohmann::json arguments);
    void on_disconnect(const Envelope& request, const nlohmann::json& arguments);
    void on_terminate(const std::string& body, const Envelope& request);
    void on_cancel(const Envelope& request, const nlohmann::json& arguments);
    void on_targets(const Envelope& request, const nlohmann::json& arguments);
    void forward(const std::string& body, const Envelope& request);

    bool is_authorized(const Envelope& request, const nlohmann::json& arguments);
    nlohmann::json exception_filters(nlohmann::json arguments) const;
    void complete_attach();
    void end_progress();
    void send_event(std::string_view event, const nlohmann::json& body = nullptr);
    void leave_link(bool hold);
    /// `terminated`, once; the client gets a moment to say `disconnect`.
    void end(const std::string& why);
    void close();

    int m_id;
    Bridge& m_bridge;
    std::unique_ptr<Wire> m_client;
    Deadline m_wait_end;
    Deadline m_close;
    State m_state = State::fresh;
    std::int64_t m_seq = 0;

    std::string m_client_id;
    bool m_client_shows_progress = false;
    bool m_progress_shown = false;
    std::string m_shown;

    std::int64_t m_attach_seq = 0;  ///< 0: answered, or not asked
    AttachArguments m_arguments;
    std::uint64_t m_snapshot_needed = 0;
    std::set<std::pair<std::string, std::int64_t>> m_tried;
    std::optional<Error> m_last_failure;
    Link* m_link = nullptr;
    bool m_filters_set = false;
    bool m_releasing = false;  ///< the client asked for the end that is coming
    std::optional<std::int64_t> m_disconnect_seq;
    std::unordered_map<std::int64_t, std::int64_t> m_reverse;  ///< our number of a worker's request -> the worker's
};

}  // namespace dap

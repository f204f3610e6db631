// A session that shows exactly one worker: the fast path, where messages are forwarded as bytes.
//
// It waits for a worker, uses a link, and rewrites only what a rule of ARCHITECTURE.md names. See SessionMode for
// threads and ownership.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "dap/attach_arguments.hpp"
#include "dap/link.hpp"
#include "dap/session.hpp"
#include "dap/session_mode.hpp"

namespace dap {

struct Taken;

class SingleMode : public SessionMode, private LinkUser {
  public:
    SingleMode(Session& session, Bridge& bridge, Timers& timers, std::int64_t attach_seq, AttachArguments arguments);

    /// Queues for a worker that the arguments mean.
    void find_worker();

    const AttachArguments& arguments() const { return m_arguments; }
    const Session& session() const { return m_session; }
    /// The first snapshot that is new enough to say that nothing is paused.
    std::uint64_t snapshot_needed() const { return m_snapshot_needed; }
    /// Whether this pause of this worker was tried and failed.
    bool has_tried(const Worker& worker) const;
    /// Why the last worker that was tried could not be attached.
    const std::optional<Error>& last_failure() const { return m_last_failure; }
    /// Says what is being waited for, where the client shows it.
    void show_waiting(const std::string& state);
    void fail_attach(const Error& error);
    void use(const Taken& taken);
    /// The root ends this child as its own client asked.
    void end_by_root(Parting parting);

    bool is_over() const override { return m_state == State::over; }
    void on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) override;
    void on_response(const std::string& body, const Envelope& response) override;
    void on_disconnect(const nlohmann::json& arguments) override;
    void on_client_lost() override;
    void on_congested(bool congested) override;
    void shut_down() override;
    bool has(const Link& link) const override { return m_link == &link; }
    void yield(Link& link, const std::string& other) override;

  private:
    enum class State { waiting, linking, configuring, active, over };

    void on_link_ready() override;
    void on_link_attached() override;
    void on_link_event(const std::string& body, const Envelope& envelope) override;
    void on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) override;
    void on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) override;
    void on_link_reverse_request(const std::string& body, const Envelope& envelope) override;
    void on_link_ended(const Error& reason) override;
    void on_link_congested(bool congested) override;

    void on_configuration_done(const std::string& body, const Envelope& request);
    void on_terminate(const std::string& body, const Envelope& request);
    void on_cancel(const Envelope& request, const nlohmann::json& arguments);
    void on_subprocess(const std::string& body);
    void apply_root_breakpoints();
    void forward(const std::string& body, const Envelope& request);
    void complete_attach();
    void end_progress();
    void part(Parting parting);
    void end(const std::string& why);

    Session& m_session;
    Bridge& m_bridge;
    Deadline m_wait_end;
    State m_state = State::waiting;
    bool m_progress_shown = false;
    std::string m_shown;

    std::int64_t m_attach_seq;  ///< 0: answered
    AttachArguments m_arguments;
    std::uint64_t m_snapshot_needed = 0;
    std::set<std::pair<std::string, std::int64_t>> m_tried;
    std::optional<Error> m_last_failure;
    Link* m_link = nullptr;
    bool m_filters_set = false;
    bool m_releasing = false;                                  ///< the end that is coming was asked for
    std::unordered_map<std::int64_t, std::int64_t> m_reverse;  ///< our number of a worker's request -> the worker's
};

}  // namespace dap

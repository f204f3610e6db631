// One conversation with one client, from the first byte to the last.
//
// The session answers what every client may ask before and after the attach (initialize, attach, disconnect,
// rayTargets, broken messages) and leaves the rest to its mode. Logic without I/O on the I/O thread; owned by the
// Bridge, which destroys it in a later turn of the loop after Bridge::closed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "dap/attach_arguments.hpp"
#include "dap/envelope.hpp"
#include "dap/session_mode.hpp"
#include "dap/wire.hpp"
#include "dap/worker_source.hpp"

namespace dap {

class Bridge;
class RootMode;
class SingleMode;

/// What the client said of itself at `initialize`.
struct ClientTraits {
    std::string id;
    std::string adapter_id;
    bool shows_progress = false;
    bool starts_debugging = false;  ///< takes `startDebugging`

    bool is_vscode() const { return id == "vscode"; }
};

/// What a client wants of its worker when it says `disconnect` (DAP, "Disconnect request").
enum class Parting { release, hold, terminate };

class Session : public WireUser {
  public:
    Session(int id, Bridge& bridge, Timers& timers);
    ~Session() override;

    /// Gives the session its client's wire. Called once, before any message.
    void open(std::unique_ptr<Wire> client);

    int id() const { return m_id; }
    bool is_over() const { return m_state == State::ended || m_state == State::closed; }
    /// "session 3 (vscode)", for errors and logs.
    std::string label() const;
    const ClientTraits& client() const { return m_client_traits; }
    /// The root session that announced this one; 0 where there is none.
    int root() const { return m_root; }
    bool has(const Link& link) const { return m_mode && m_mode->has(link); }
    /// Null before the attach.
    SessionMode* mode() const { return m_mode.get(); }
    bool watches() const { return m_mode && m_mode->watches() && !is_over(); }
    /// Null where the session is of another mode.
    SingleMode* single() const { return m_single; }
    RootMode* root_mode() const { return m_root_mode; }

    // For the modes and the bridge: what the client hears.
    void respond(std::int64_t request_seq, std::string_view command, const nlohmann::json& body);
    void respond_error(std::int64_t request_seq, std::string_view command, const Error& error);
    void send_event(std::string_view event, const nlohmann::json& body = nullptr);
    /// Sends a request of ours; its number.
    std::int64_t ask(std::string_view command, const nlohmann::json& arguments);
    /// Passes a message on, its number replaced (and `request_seq`, in a response). Returns the new number.
    std::int64_t pass(const std::string& body, const Envelope& envelope, std::int64_t request_seq = 0);
    void pause_reading(bool paused);
    /// Has the client start a child session that attaches `worker` with `arguments`, minus what chose the worker.
    void announce(const Worker& worker, const AttachArguments& arguments);
    /// Whether `response` answers an announcement of ours; one that refuses withdraws it. Answers may come late, twice
    /// or never, and after the child: nothing waits for them.
    bool answers_announcement(const Envelope& response);
    /// `terminated`, once and only if the attach had succeeded; then the answer to `disconnect`, and the close.
    void end(const std::string& why, bool attached);

    /// What the form of a `disconnect` says.
    Parting parting(const nlohmann::json& disconnect_arguments, bool allow_terminate) const;
    /// Closes the connection: the client is as good as lost. `why` is logged.
    void drop(const std::string& why);
    void shut_down();

    void on_message(std::string body) override;
    void on_closed(const Error& reason) override;
    void on_congested(bool congested) override;

  private:
    void on_request(const std::string& body, const Envelope& request);
    void on_initialize(const Envelope& request, const nlohmann::json& arguments);
    void on_attach(const Envelope& request, const nlohmann::json& arguments);
    void on_child_attach(const Envelope& request, const std::string& announced);
    void on_disconnect(const Envelope& request, const nlohmann::json& arguments);
    bool is_authorized(const Envelope& request, const nlohmann::json& arguments);
    SessionKind kind_of(const AttachArguments& arguments) const;
    SingleMode& begin_single(std::int64_t attach_seq, AttachArguments arguments);
    void close();

    enum class State { fresh, initialized, ended, closed };

    int m_id;
    Bridge& m_bridge;
    Timers& m_timers;
    std::unique_ptr<Wire> m_client;
    Deadline m_close;
    State m_state = State::fresh;
    std::int64_t m_seq = 0;
    ClientTraits m_client_traits;
    int m_root = 0;
    std::optional<std::int64_t> m_disconnect_seq;
    std::map<std::int64_t, std::string> m_announcing;  ///< our startDebugging request -> announced id
    std::unique_ptr<SessionMode> m_mode;
    SingleMode* m_single = nullptr;
    RootMode* m_root_mode = nullptr;
};

}  // namespace dap

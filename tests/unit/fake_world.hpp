// A bridge in a world without sockets and sleeps: clients and workers are wires whose messages the test reads and
// writes, time moves when the test says so.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/bridge.hpp"

namespace test {

/// What one side of a wire sees: bodies that were sent, and the user that hears what we say.
struct Line {
    std::deque<nlohmann::json> sent;
    std::vector<std::string> sent_bytes;
    dap::WireUser* user = nullptr;  ///< null once the wire is gone
    bool reading_paused = false;

    /// Lets the wire's user hear a message.
    void hear(const nlohmann::json& message) { hear_bytes(message.dump()); }
    void hear_bytes(const std::string& body) {
        if (user != nullptr)
            user->on_message(body);
    }
    void break_off() {
        if (dap::WireUser* told = std::exchange(user, nullptr))
            told->on_closed({dap::ErrorCode::closed_by_peer, "closed by the other side"});
    }
};

class FakeTimers : public dap::Timers {
  public:
    std::uint64_t after(std::chrono::milliseconds delay, std::function<void()> function) override;
    void cancel(std::uint64_t id) override { m_due.erase(id); }
    /// Moves time, running what falls due in its order.
    void advance(std::chrono::milliseconds by);

  private:
    struct Due {
        std::chrono::milliseconds at;
        std::function<void()> function;
    };
    std::chrono::milliseconds m_now{0};
    std::uint64_t m_last = 0;
    std::map<std::uint64_t, Due> m_due;
};

class FakeSource : public dap::WorkerSource {
  public:
    dap::WorkerSnapshot now;
    std::uint64_t asked = 0;  ///< number that the next snapshot must have
    bool asked_listening = false;
    std::size_t waiting_sessions = 0;

    const dap::WorkerSnapshot& snapshot() const override { return now; }
    std::uint64_t refresh(bool listening) override {
        asked_listening = listening;
        return asked = now.number + 1;
    }
    void set_waiting_sessions(std::size_t count) override { waiting_sessions = count; }
    /// By id, or by name where that is no id; an unset target means all.
    dap::Result<std::vector<std::size_t>> choose(const std::vector<dap::Worker>& candidates,
                                                 const nlohmann::json& arguments) const override;
    std::string leave_expression() const override { return "leave"; }
    bool names_one(const std::string& target) const override { return target.starts_with("w"); }
    std::string setup_expression(const nlohmann::json& arguments, bool first) const override;
};

/// A scripted debugpy behind a line. Answers in debugpy's order unless told to keep quiet.
struct FakeWorker {
    Line line;
    std::string id;
    std::string ip;
    std::uint16_t port = 0;
    bool connects = true;    ///< else the connection is refused at once
    bool handshakes = true;  ///< answers initialize, attach and the setup by itself
    bool stops = true;       ///< at configurationDone
    bool leaves = true;      ///< answers `disconnect` and closes
    std::int64_t seq = 0;
    std::int64_t attach_seq = 0;
    std::vector<std::string> commands;  ///< of all requests that came, in order
    std::vector<nlohmann::json> requests;
    /// Takes a request before the worker's own habits; false leaves it to them.
    std::function<bool(const nlohmann::json& request)> script;

    void event(const std::string& name, const nlohmann::json& body = nlohmann::json::object());
    void answer(const nlohmann::json& request, const nlohmann::json& body = nlohmann::json::object());
    void refuse(const nlohmann::json& request, const std::string& message);
    void stop(std::int64_t thread = 1, const std::string& reason = "breakpoint");
    /// Reads what the link sent and plays debugpy's part.
    void play();
    std::int64_t count(const std::string& command) const;
    /// The last request of this command; null if none came.
    nlohmann::json last(const std::string& command) const;
};

/// One client. `expect_…` throw (and fail the test) where the message is not there.
struct FakeClient {
    Line line;
    std::int64_t seq = 0;
    /// Attaches with `sessions: "single"` where it does not say what it wants.
    bool wants_one = true;

    std::int64_t send(const std::string& command, const nlohmann::json& arguments = nullptr);
    nlohmann::json expect_response(std::int64_t request_seq);
    nlohmann::json expect_success(std::int64_t request_seq);
    /// Its error; the whole response is checked to be one.
    nlohmann::json expect_error(std::int64_t request_seq);
    nlohmann::json expect_event(const std::string& name);
    /// A request of the bridge; the whole message.
    nlohmann::json expect_request(const std::string& command);
    std::size_t count_requests(const std::string& command) const;
    void reply(const nlohmann::json& request, bool success = true);
    bool has_event(const std::string& name) const;
    std::size_t count_events(const std::string& name) const;
    bool is_closed() const { return line.user == nullptr; }

  private:
    nlohmann::json take(const std::string& what, const std::function<bool(const nlohmann::json&)>& match);
};

class World : public dap::Connector {
  public:
    explicit World(dap::BridgeOptions options = {});
    ~World() override;

    FakeSource source;
    FakeTimers timers;
    std::map<std::string, std::unique_ptr<FakeWorker>> workers;  ///< by id
    std::deque<FakeClient> clients;
    std::unique_ptr<dap::Bridge> bridge;

    /// A worker that waits at its breakpoint, from the next look on.
    FakeWorker& add_worker(const std::string& id, const std::string& name = "square");
    /// A process that the worker started, behind the same port.
    FakeWorker& add_subprocess(const std::string& id, const std::string& parent);
    /// The worker waits again, with a new pause.
    void pause_again(const std::string& id);
    /// The dashboard no longer lists it (attached, or gone).
    void unlist(const std::string& id);
    FakeClient& add_client(const std::string& client_id = "test",
                           const nlohmann::json& more = nlohmann::json::object());
    /// The next look at the cluster is made.
    void look();
    /// Lets all workers answer until nothing moves.
    void settle();

    /// attach, initialized, configurationDone, attach response.
    std::int64_t attach(FakeClient& client, const nlohmann::json& arguments = nlohmann::json::object());
    /// Up to `initialized`.
    std::int64_t begin_attach(FakeClient& client, const nlohmann::json& arguments = nlohmann::json::object());

    std::unique_ptr<dap::Wire> connect(const std::string& ip, std::uint16_t port, bool quick_ack,
                                       dap::WireUser& user) override;

  private:
    std::int64_t m_pauses = 0;
};

}  // namespace test

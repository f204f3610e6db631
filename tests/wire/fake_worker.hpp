// A worker's debugpy, scripted: a server on a loopback port that says what debugpy says, in its order (recorded from
// debugpy 1.8.22), and keeps what it hears.
//
// It serves one connection after the other on a thread of its own. All functions are called by the test's threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/worker_source.hpp"
#include "framed_socket.hpp"

namespace wire {

class FakeWorker {
  public:
    struct Heard {
        std::string text;
        nlohmann::json json;
    };

    explicit FakeWorker(std::string id = "worker-1", std::int64_t paused_at = 1);
    ~FakeWorker();
    FakeWorker(const FakeWorker&) = delete;
    FakeWorker& operator=(const FakeWorker&) = delete;

    std::uint16_t port() const { return m_port; }
    /// As a WorkerSource reports it.
    dap::Worker row() const;

    /// From now on requests `command` are answered with this body, given as JSON text.
    void answer(const std::string& command, std::string body);
    /// From now on requests `command` are answered with an error.
    void refuse(const std::string& command, const std::string& message);
    /// From now on requests `command` get no answer.
    void ignore(const std::string& command);
    /// Stops or restarts reading what the bridge sends.
    void pause_reading(bool paused);

    /// Sends a body as it is. False once the bridge is gone.
    bool send_text(const std::string& body);
    bool send_event(const std::string& event, const nlohmann::json& body);
    /// Bytes handed to the system on the present connection.
    std::size_t sent() const;

    /// Connections that were accepted so far.
    int connections() const;
    /// Everything heard so far.
    std::vector<Heard> heard() const;
    int count(const std::string& command) const;
    /// Waits for the `nth` request `command`.
    Heard wait_for(const std::string& command, int nth = 1);
    /// Waits for the response to the request of this worker's own number `seq`.
    Heard wait_for_response(std::int64_t seq);
    /// Waits until the bridge closed its `nth` connection.
    void wait_closed(int nth = 1);

    /// The worker's process ends: no connection any more, no new one.
    void die();

  private:
    struct Script {
        std::string body;
        std::optional<std::string> refusal;
    };

    void run();
    void serve(FramedSocket& socket);
    void handle(FramedSocket& socket, const Heard& request);
    void send(FramedSocket& socket, const std::string& rest);
    void respond(FramedSocket& socket, const nlohmann::json& request, const Script& script);
    Heard wait(const std::string& what, int nth, const std::function<bool(const nlohmann::json&)>& fits);

    std::string m_id;
    std::int64_t m_paused_at;
    int m_listener;
    std::uint16_t m_port = 0;

    mutable std::mutex m_mutex;
    std::condition_variable m_changed;
    std::map<std::string, Script> m_scripts;
    std::set<std::string> m_ignored;
    std::vector<Heard> m_heard;
    std::shared_ptr<FramedSocket> m_connection;
    int m_connections = 0;
    int m_closed = 0;
    bool m_reading_paused = false;
    bool m_dead = false;

    std::mutex m_write_mutex;
    std::int64_t m_seq = 0;
    nlohmann::json m_attach;  ///< used by the serving thread alone

    std::thread m_thread;
};

/// A loopback port where nobody listens.
std::uint16_t unused_port();

}  // namespace wire

// A DAP client that can also misbehave: it sends any bytes and keeps everything it was sent.
//
// Used by one thread. Waiting has a deadline (wire::patience), after which std::runtime_error fails the test.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "framed_socket.hpp"

namespace wire {

class RawClient {
  public:
    explicit RawClient(std::uint16_t port, int receive_buffer = 0);

    FramedSocket& socket() { return *m_socket; }
    void send(std::string_view bytes) { m_socket->send(bytes); }

    /// Makes a request with the next number; not sent.
    std::string make_request(const std::string& command, const nlohmann::json& arguments = nullptr);
    /// Sends a request. Its number.
    std::int64_t request(const std::string& command, const nlohmann::json& arguments = nullptr);
    std::int64_t last_seq() const { return m_seq; }

    /// The response to request `seq`, which is then taken.
    nlohmann::json response(std::int64_t seq);
    /// Sends and waits.
    nlohmann::json ask(const std::string& command, const nlohmann::json& arguments = nullptr);
    /// The first event of that name that was not taken yet; taken.
    nlohmann::json event(const std::string& name);
    /// The next message that was not taken yet, as it came; taken.
    std::string next();

    /// Says `initialize`.
    nlohmann::json initialize(const std::string& client_id = "test");
    /// From `initialize` to the stop, whose event it returns.
    nlohmann::json attach(const nlohmann::json& arguments = {{"sessions", "single"}});

    /// Reads until the other side closes.
    void read_to_end();
    /// How many of all messages so far, taken or not, `fit`.
    int count(const std::function<bool(const nlohmann::json&)>& fit) const;
    int responses(std::int64_t request_seq) const;
    int events(const std::string& name) const;
    std::size_t received() const { return m_messages.size(); }

    /// The client's process is killed.
    void kill() { m_socket->reset(); }

  private:
    struct Message {
        std::string text;
        nlohmann::json json;  ///< an empty object where the text is none, or large
        bool taken = false;
    };

    /// Reads one message more; false at the end of the stream.
    bool read_more(Clock::time_point deadline);
    Message& take(const std::string& what, const std::function<bool(const nlohmann::json&)>& fits);

    std::unique_ptr<FramedSocket> m_socket;
    std::int64_t m_seq = 0;
    std::deque<Message> m_messages;
};

}  // namespace wire

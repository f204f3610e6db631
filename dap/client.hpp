// A blocking DAP client for the commands: one request after the other, each with a deadline.
//
// Owned and used by one thread. Errors of the other side keep their code where it is one of ours. Closing the
// connection without `disconnect` leaves an attached worker held (design rule 2).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"
#include "dap/framing.hpp"

namespace dap {

class Client {
  public:
    static constexpr std::chrono::milliseconds patience{20000};

    /// Connects to a serving bridge, "host:port". Errors: bridge_unreachable.
    static Result<std::unique_ptr<Client>> connect(const std::string& address);

    /// Takes over a connected stream socket.
    explicit Client(int socket);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends a request; its number.
    std::int64_t send(std::string_view command, const nlohmann::json& arguments = nullptr);

    /// The body of the response to request `seq`; null where it has none.
    Result<nlohmann::json> response(std::int64_t seq, std::chrono::milliseconds within = patience);

    /// Sends and waits. The body of the response.
    Result<nlohmann::json> request(std::string_view command, const nlohmann::json& arguments = nullptr,
                                   std::chrono::milliseconds within = patience);

    /// Waits for an event that was not taken before; its body. `or_response`: gives up with that response's error as
    /// soon as it fails.
    Result<nlohmann::json> event(std::string_view name, std::chrono::milliseconds within = patience,
                                 std::int64_t or_response = 0);

    /// Says `disconnect` and waits until the other side closed: debugpy's adapter may stop accepting clients when one
    /// closes first (see link.cpp). Errors: those of the request.
    Result<void> part(std::chrono::milliseconds within);

    /// Takes an event that is here already; null otherwise.
    nlohmann::json take_event(std::string_view name);

  private:
    using Time = std::chrono::steady_clock::time_point;
    using Inbox = std::deque<nlohmann::json>;

    /// Reads once into the inbox. Errors: timed_out, closed_by_peer, invalid_message.
    Result<void> read_until(Time deadline);
    Inbox::iterator find_response(std::int64_t seq);
    static Error error_of(const nlohmann::json& response);

    int m_socket;
    std::int64_t m_seq = 0;
    FrameReader m_reader{max_worker_body};
    Inbox m_inbox;
};

/// Connects a TCP socket to "host:port" within `within`. Returns the descriptor.
/// Errors: invalid_arguments for a malformed address, closed_by_peer or timed_out with the system's words.
Result<int> connect_socket(const std::string& address, std::chrono::milliseconds within);

}  // namespace dap

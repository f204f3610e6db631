#include "dap/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

int poll_timeout(steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

std::string system_words(int code) {
    return std::strerror(code);
}

}  // namespace

Result<int> connect_socket(const std::string& address, milliseconds within) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || colon == 0)
        return Error{ErrorCode::invalid_arguments, "\"" + address + "\" is not of the form HOST:PORT."};
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int code = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); code != 0)
        return Error{ErrorCode::invalid_arguments, "\"" + address + "\": " + ::gai_strerror(code) + "."};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

    const auto deadline = steady_clock::now() + within;
    int failure = ECONNREFUSED;
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        const int socket = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket < 0)
            return Error{ErrorCode::closed_by_peer, system_words(errno)};
        failure = ::connect(socket, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
        if (failure == EINPROGRESS) {
            pollfd ready{socket, POLLOUT, 0};
            socklen_t size = sizeof failure;
            if (::poll(&ready, 1, poll_timeout(deadline)) == 0)
                failure = ETIMEDOUT;
            else
                ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &size);
        }
        if (failure == 0) {
            const int on = 1;
            ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return socket;
        }
        ::close(socket);
    }
    return Error{failure == ETIMEDOUT ? ErrorCode::timed_out : ErrorCode::closed_by_peer, system_words(failure)};
}

Result<std::unique_ptr<Client>> Client::connect(const std::string& address) {
    const Result<int> socket = connect_socket(address, milliseconds(3000));
    if (!socket)
        return Error{ErrorCode::bridge_unreachable,
                     "No ray-dap serves at " + address + " (" + socket.error().message +
                         "). Start one with `ray-dap serve`, or name its address with --connect HOST:PORT."};
    return std::make_unique<Client>(*socket);
}

Client::Client(int socket) : m_socket(socket) {}

Client::~Client() {
    ::close(m_socket);
}

std::int64_t Client::send(std::string_view command, const nlohmann::json& arguments) {
    const std::string body = make_request(++m_seq, command, arguments);
    const std::string frame = frame_header(body.size()) + body;
    std::size_t sent = 0;
    while (sent < frame.size()) {
        const ssize_t size = ::send(m_socket, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
        if (size >= 0) {
            sent += static_cast<std::size_t>(size);
            continue;
        }
        pollfd ready{m_socket, POLLOUT, 0};
        const bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        // A broken connection shows itself when the answer is read.
        if (!full || ::poll(&ready, 1, static_cast<int>(patience.count())) <= 0)
            break;
    }
    return m_seq;
}

Result<void> Client::read_until(Time deadline) {
    static constexpr std::size_t block = 64U << 10;
    pollfd ready{m_socket, POLLIN, 0};
    const int status = ::poll(&ready, 1, poll_timeout(deadline));
    if (status == 0)
        return Error{ErrorCode::timed_out, "no answer in time"};
    std::array<char, block> buffer;
    const ssize_t size = ::recv(m_socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return {};
    if (size <= 0)
        return Error{ErrorCode::closed_by_peer, "ray-dap closed the connection"};
    m_reader.feed({buffer.data(), static_cast<std::size_t>(size)});
    while (true) {
        Result<std::optional<std::string>> body = m_reader.next();
        if (!body)
            return body.error();
        if (!*body)
            return {};
        m_inbox.push_back(parse_json_or_null(**body));
    }
}

Client::Inbox::iterator Client::find_response(std::int64_t seq) {
    return std::find_if(m_inbox.begin(), m_inbox.end(), [seq](const nlohmann::json& message) {
        return member(message, "type") == "response" && member(message, "request_seq") == seq;
    });
}

Error Client::error_of(const nlohmann::json& response) {
    const nlohmann::json& id = member(member(member(response, "body"), "error"), "id");
    ErrorCode code = ErrorCode::worker_refused;
    for (const ErrorInfo& row : all_errors()) {
        if (id == row.id)
            code = row.code;
    }
    return {code, error_text(response)};
}

Result<nlohmann::json> Client::response(std::int64_t seq, milliseconds within) {
    const Time deadline = steady_clock::now() + within;
    while (true) {
        if (const auto found = find_response(seq); found != m_inbox.end()) {
            const nlohmann::json message = std::move(*found);
            m_inbox.erase(found);
            if (member(message, "success") != true)
                return error_of(message);
            return {boost::system::in_place_value, member(message, "body")};
        }
        if (const Result<void> more = read_until(deadline); !more)
            return more.error();
    }
}

Result<nlohmann::json> Client::request(std::string_view command, const nlohmann::json& arguments, milliseconds within) {
    return response(send(command, arguments), within);
}

Result<void> Client::part(milliseconds within) {
    const Time deadline = steady_clock::now() + within;
    const Result<nlohmann::json> answer = request("disconnect", nullptr, within);
    while (read_until(deadline)) {
    }
    if (!answer)
        return answer.error();
    return {};
}

nlohmann::json Client::take_event(std::string_view name) {
    const auto found = std::find_if(m_inbox.begin(), m_inbox.end(), [name](const nlohmann::json& message) {
        return member(message, "type") == "event" && member(message, "event") == name;
    });
    if (found == m_inbox.end())
        return nullptr;
    nlohmann::json body = member(*found, "body");
    m_inbox.erase(found);
    return body.is_null() ? nlohmann::json::object() : body;
}

Result<nlohmann::json> Client::event(std::string_view name, milliseconds within, std::int64_t or_response) {
    const Time deadline = steady_clock::now() + within;
    while (true) {
        if (nlohmann::json body = take_event(name); !body.is_null())
            return {boost::system::in_place_value, std::move(body)};
        if (const auto answer = find_response(or_response);
            answer != m_inbox.end() && member(*answer, "success") != true)
            return error_of(*answer);
        if (const Result<void> more = read_until(deadline); !more)
            return more.error();
    }
}

}  // namespace dap

#include "framed_socket.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wire {

namespace {

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

std::string frame(std::string_view body) {
    return "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

nlohmann::json read_json(std::string text) {
    nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
    if (value.is_discarded()) {
        for (std::size_t at = text.find("\\ud"); at != std::string::npos; at = text.find("\\ud", at + 1)) {
            if (at + 3 < text.size() && text[at + 3] >= '8')
                text.replace(at, 6, "\\ufffd");
        }
        value = nlohmann::json::parse(text, nullptr, false);
    }
    return value.is_object() ? value : nlohmann::json::object();
}

FramedSocket::FramedSocket(int socket) : m_socket(socket) {
    const int on = 1;
    ::setsockopt(m_socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int FramedSocket::connect(std::uint16_t port, int receive_buffer) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
        ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const std::string why = std::strerror(errno);
        ::close(socket);
        throw std::runtime_error("cannot connect to port " + std::to_string(port) + ": " + why);
    }
    return socket;
}

FramedSocket::~FramedSocket() {
    if (m_socket >= 0)
        ::close(m_socket);
}

bool FramedSocket::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t size = ::send(m_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return false;
        m_sent += static_cast<std::size_t>(size);
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}

std::optional<std::string> FramedSocket::read_body(Clock::time_point deadline) {
    static constexpr std::string_view name = "Content-Length: ";
    std::size_t needed = 0;
    while (true) {
        const std::string_view rest = std::string_view(m_buffer).substr(m_at);
        const std::size_t header = needed == 0 ? rest.find("\r\n\r\n") : std::string_view::npos;
        if (header != std::string_view::npos) {
            if (rest.substr(0, name.size()) != name)
                throw std::runtime_error("not a DAP header: " + std::string(rest.substr(0, header)));
            needed = header + 4 + std::stoul(std::string(rest.substr(name.size(), header - name.size())));
        }
        if (needed > 0 && rest.size() >= needed) {
            const std::size_t begin = rest.find("\r\n\r\n") + 4;
            std::string body(rest.substr(begin, needed - begin));
            m_at += needed;
            if (m_at == m_buffer.size()) {
                m_buffer.clear();
                m_at = 0;
            }
            return body;
        }
        wait_readable(deadline);
        const std::size_t before = m_buffer.size();
        m_buffer.resize(before + m_chunk);
        const ssize_t size = ::recv(m_socket, m_buffer.data() + before, m_chunk, 0);
        m_buffer.resize(before + (size > 0 ? static_cast<std::size_t>(size) : 0));
        if (size <= 0) {
            if (m_buffer.size() > m_at)
                throw std::runtime_error("the stream ends in the middle of a frame");
            return std::nullopt;
        }
    }
}

void FramedSocket::wait_readable(Clock::time_point deadline) const {
    pollfd wanted{m_socket, POLLIN, 0};
    if (::poll(&wanted, 1, milliseconds_until(deadline)) == 0)
        throw std::runtime_error("nothing came before the deadline");
}

void FramedSocket::half_close() {
    ::shutdown(m_socket, SHUT_WR);
}

void FramedSocket::shut_down() {
    ::shutdown(m_socket, SHUT_RDWR);
}

void FramedSocket::reset() {
    const linger now{1, 0};
    ::setsockopt(m_socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(m_socket);
    m_socket = -1;
}

}  // namespace wire

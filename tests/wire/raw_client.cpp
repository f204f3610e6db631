#include "raw_client.hpp"

#include <algorithm>
#include <stdexcept>

namespace wire {

using nlohmann::json;

namespace {

bool is_response(const json& message, std::int64_t request_seq) {
    return message.value("type", "") == "response" && message.value("request_seq", std::int64_t{-1}) == request_seq;
}

bool is_event(const json& message, const std::string& name) {
    return message.value("type", "") == "event" && message.value("event", "") == name;
}

}  // namespace

RawClient::RawClient(std::uint16_t port, int receive_buffer)
    : m_socket(std::make_unique<FramedSocket>(FramedSocket::connect(port, receive_buffer))) {}

std::string RawClient::make_request(const std::string& command, const json& arguments) {
    json message = {{"seq", ++m_seq}, {"type", "request"}, {"command", command}};
    if (!arguments.is_null())
        message["arguments"] = arguments;
    return frame(message.dump());
}

std::int64_t RawClient::request(const std::string& command, const json& arguments) {
    send(make_request(command, arguments));
    return m_seq;
}

json RawClient::response(std::int64_t seq) {
    return take("the response to request " + std::to_string(seq),
                [seq](const json& message) { return is_response(message, seq); })
        .json;
}

json RawClient::ask(const std::string& command, const json& arguments) {
    return response(request(command, arguments));
}

json RawClient::event(const std::string& name) {
    return take("the event \"" + name + "\"", [&name](const json& message) { return is_event(message, name); }).json;
}

std::string RawClient::next() {
    return take("any message", [](const json&) { return true; }).text;
}

json RawClient::initialize(const std::string& client_id) {
    return ask("initialize", {{"clientID", client_id}, {"adapterID", "ray"}, {"pathFormat", "path"}});
}

json RawClient::attach(const json& arguments) {
    initialize();
    const std::int64_t attached = request("attach", arguments);
    event("initialized");
    ask("configurationDone");
    const json answer = response(attached);
    if (!answer.value("success", false))
        throw std::runtime_error("attach failed: " + answer.dump());
    return event("stopped");
}

void RawClient::read_to_end() {
    const auto deadline = Clock::now() + patience;
    while (read_more(deadline)) {
    }
}

int RawClient::count(const std::function<bool(const json&)>& fit) const {
    return static_cast<int>(std::count_if(m_messages.begin(), m_messages.end(),
                                          [&fit](const Message& message) { return fit(message.json); }));
}

int RawClient::responses(std::int64_t request_seq) const {
    return count([request_seq](const json& message) { return is_response(message, request_seq); });
}

int RawClient::events(const std::string& name) const {
    return count([&name](const json& message) { return is_event(message, name); });
}

bool RawClient::read_more(Clock::time_point deadline) {
    std::optional<std::string> body = m_socket->read_body(deadline);
    if (!body)
        return false;
    // The texts of large messages are compared, not parsed.
    json message = body->size() < (64U << 10) ? read_json(*body) : json::object();
    m_messages.push_back({std::move(*body), std::move(message)});
    return true;
}

RawClient::Message& RawClient::take(const std::string& what, const std::function<bool(const json&)>& fits) {
    const auto deadline = Clock::now() + patience;
    for (std::size_t at = 0;; ++at) {
        if (at == m_messages.size()) {
            bool more = false;
            try {
                more = read_more(deadline);
            } catch (const std::runtime_error& error) {
                throw std::runtime_error("waiting for " + what + ": " + error.what());
            }
            if (!more)
                throw std::runtime_error("the connection ended before " + what);
        }
        Message& message = m_messages[at];
        if (!message.taken && fits(message.json)) {
            message.taken = true;
            return message;
        }
    }
}

}  // namespace wire

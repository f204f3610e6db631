#include "fake_worker.hpp"

#include <functional>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace wire {

using nlohmann::json;

namespace {

constexpr int thread_id = 1;

/// A socket bound to a free loopback port.
int bound_socket(std::uint16_t& port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("no free loopback port");
    port = ntohs(address.sin_port);
    return socket;
}

}  // namespace

std::uint16_t unused_port() {
    std::uint16_t port = 0;
    ::close(bound_socket(port));
    return port;
}

FakeWorker::FakeWorker(std::string id, std::int64_t paused_at) : m_id(std::move(id)), m_paused_at(paused_at) {
    m_listener = bound_socket(m_port);
    // What the system keeps counts as sent: little, so that a reader that stopped is noticed early.
    const int little = 64 << 10;
    ::setsockopt(m_listener, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    ::setsockopt(m_listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    if (::listen(m_listener, 16) != 0)
        throw std::runtime_error("cannot listen");
    m_thread = std::thread([this] { run(); });
}

FakeWorker::~FakeWorker() {
    die();
    m_thread.join();
    ::close(m_listener);
}

dap::Worker FakeWorker::row() const {
    dap::Worker worker;
    worker.id = m_id;
    worker.name = "square";
    worker.ip = "127.0.0.1";
    worker.port = m_port;
    worker.pid = 1000 + m_paused_at;
    worker.waiting = true;
    worker.paused_at = m_paused_at;
    worker.info = {{"worker_id", m_id}, {"state", "paused"}, {"paused_threads", 1}};
    return worker;
}

void FakeWorker::answer(const std::string& command, std::string body) {
    const std::lock_guard lock(m_mutex);
    m_scripts[command] = {std::move(body), std::nullopt};
}

void FakeWorker::refuse(const std::string& command, const std::string& message) {
    const std::lock_guard lock(m_mutex);
    m_scripts[command] = {"", message};
}

void FakeWorker::ignore(const std::string& command) {
    const std::lock_guard lock(m_mutex);
    m_ignored.insert(command);
}

void FakeWorker::pause_reading(bool paused) {
    const std::lock_guard lock(m_mutex);
    m_reading_paused = paused;
    m_changed.notify_all();
}

bool FakeWorker::send_text(const std::string& body) {
    std::shared_ptr<FramedSocket> connection;
    {
        const std::lock_guard lock(m_mutex);
        connection = m_connection;
    }
    const std::lock_guard lock(m_write_mutex);
    return connection && connection->send(frame(body));
}

bool FakeWorker::send_event(const std::string& event, const json& body) {
    std::int64_t seq = 0;
    {
        const std::lock_guard lock(m_write_mutex);
        seq = ++m_seq;
    }
    return send_text(json{{"seq", seq}, {"type", "event"}, {"event", event}, {"body", body}}.dump());
}

std::size_t FakeWorker::sent() const {
    const std::lock_guard lock(m_mutex);
    return m_connection ? m_connection->sent() : 0;
}

int FakeWorker::connections() const {
    const std::lock_guard lock(m_mutex);
    return m_connections;
}

std::vector<FakeWorker::Heard> FakeWorker::heard() const {
    const std::lock_guard lock(m_mutex);
    return m_heard;
}

int FakeWorker::count(const std::string& command) const {
    int count = 0;
    for (const Heard& message : heard())
        count += message.json.value("type", "") == "request" && message.json.value("command", "") == command ? 1 : 0;
    return count;
}

FakeWorker::Heard FakeWorker::wait_for(const std::string& command, int nth) {
    return wait("request \"" + command + "\"", nth, [&command](const json& message) {
        return message.value("type", "") == "request" && message.value("command", "") == command;
    });
}

FakeWorker::Heard FakeWorker::wait_for_response(std::int64_t seq) {
    return wait("the response to " + std::to_string(seq), 1, [seq](const json& message) {
        return message.value("type", "") == "response" && message.value("request_seq", std::int64_t{-1}) == seq;
    });
}

FakeWorker::Heard FakeWorker::wait(const std::string& what, int nth, const std::function<bool(const json&)>& fits) {
    std::unique_lock lock(m_mutex);
    std::optional<Heard> found;
    m_changed.wait_for(lock, patience, [&] {
        int left = nth;
        for (const Heard& message : m_heard) {
            if (!found && fits(message.json) && --left == 0)
                found = message;
        }
        return found.has_value();
    });
    if (!found)
        throw std::runtime_error("the worker never heard " + what);
    return *found;
}

void FakeWorker::wait_closed(int nth) {
    std::unique_lock lock(m_mutex);
    if (!m_changed.wait_for(lock, patience, [&] { return m_closed >= nth; }))
        throw std::runtime_error("the bridge did not close its connection to the worker");
}

void FakeWorker::die() {
    const std::lock_guard lock(m_mutex);
    m_dead = true;
    ::shutdown(m_listener, SHUT_RDWR);
    if (m_connection)
        m_connection->shut_down();
    m_changed.notify_all();
}

void FakeWorker::run() {
    while (true) {
        const int accepted = ::accept4(m_listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0)
            return;
        auto connection = std::make_shared<FramedSocket>(accepted);
        {
            const std::lock_guard lock(m_mutex);
            if (m_dead)
                return;
            m_connection = connection;
            ++m_connections;
            m_changed.notify_all();
        }
        try {
            serve(*connection);
        } catch (const std::runtime_error&) {
            // The test that waits for what does not come says so.
        }
        const std::lock_guard lock(m_mutex);
        m_connection.reset();
        ++m_closed;
        m_changed.notify_all();
    }
}

void FakeWorker::serve(FramedSocket& socket) {
    for (const char* output : {"ptvsd", "debugpy"})
        send(socket, R"("type":"event","event":"output","body":{"category":"telemetry","output":")" +
                         std::string(output) + R"(","data":{"packageVersion":"1.8.22"}})");
    send(socket, R"("type":"event","event":"debugpySockets","body":{"sockets":[]})");
    while (true) {
        {
            std::unique_lock lock(m_mutex);
            m_changed.wait(lock, [this] { return !m_reading_paused || m_dead; });
        }
        std::optional<std::string> body = socket.read_body(Clock::now() + patience * 3);
        if (!body)
            return;
        Heard message{std::move(*body), {}};
        message.json = read_json(message.text);
        {
            const std::lock_guard lock(m_mutex);
            m_heard.push_back(message);
            m_changed.notify_all();
        }
        if (message.json.value("type", "") != "request")
            continue;
        handle(socket, message);
        if (message.json["command"] == "disconnect")
            return;
    }
}

void FakeWorker::handle(FramedSocket& socket, const Heard& request) {
    const std::string command = request.json.value("command", "");
    Script script;
    bool scripted = false;
    {
        const std::lock_guard lock(m_mutex);
        if (m_ignored.contains(command))
            return;
        if (const auto found = m_scripts.find(command); found != m_scripts.end()) {
            script = found->second;
            scripted = true;
        }
    }
    if (command == "attach" && !script.refusal) {
        // Answered after configurationDone.
        m_attach = request.json;
        send(socket, R"("type":"event","event":"debugpyWaitingForServer","body":{"host":"127.0.0.1","port":1})");
        send(socket, R"("type":"event","event":"initialized","body":{})");
        return;
    }
    if (command == "initialize" && !scripted)
        script.body = R"({"supportsConfigurationDoneRequest":true,"supportsTerminateDebuggee":true,)"
                      R"("supportsLogPoints":true})";
    else if (command == "evaluate" && !scripted)
        script.body = R"({"result":"None","variablesReference":0})";
    else if (command == "threads" && !scripted)
        script.body = R"({"threads":[{"id":1,"name":"MainThread"}]})";
    respond(socket, request.json, script);
    if (command == "configurationDone") {
        respond(socket, m_attach, {});
        send(socket, R"("type":"event","event":"process","body":{"name":"ray::square","systemProcessId":4711})");
        send(socket, R"("type":"event","event":"thread","body":{"reason":"started","threadId":1})");
        send(socket, R"("type":"event","event":"stopped","body":{"reason":"breakpoint","threadId":)" +
                         std::to_string(thread_id) + R"(,"allThreadsStopped":true})");
    } else if (command == "continue") {
        send(socket, R"("type":"event","event":"continued","body":{"threadId":1,"allThreadsContinued":true})");
    }
}

void FakeWorker::send(FramedSocket& socket, const std::string& rest) {
    const std::lock_guard lock(m_write_mutex);
    socket.send(frame("{\"seq\":" + std::to_string(++m_seq) + "," + rest + "}"));
}

void FakeWorker::respond(FramedSocket& socket, const json& request, const Script& script) {
    std::string text = R"("type":"response","request_seq":)" + request["seq"].dump() + R"(,"success":)" +
                       (script.refusal ? "false" : "true") + R"(,"command":)" + request["command"].dump();
    if (script.refusal)
        text += R"(,"message":)" + json(*script.refusal).dump();
    else if (!script.body.empty())
        text += R"(,"body":)" + script.body;
    send(socket, text);
}

}  // namespace wire

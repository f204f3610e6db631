#include "tests/unit/fake_world.hpp"

#include <algorithm>
#include <stdexcept>

#include <doctest/doctest.h>

#include "dap/json_text.hpp"

namespace test {

using nlohmann::json;

namespace {

class FakeWire : public dap::Wire {
  public:
    FakeWire(Line& line, dap::WireUser& user) : m_line(line) { m_line.user = &user; }
    ~FakeWire() override { m_line.user = nullptr; }
    FakeWire(const FakeWire&) = delete;
    FakeWire& operator=(const FakeWire&) = delete;

    void send(std::string body) override {
        m_line.sent.push_back(dap::parse_json_or_null(body));
        m_line.sent_bytes.push_back(std::move(body));
    }
    void pause_reading(bool paused) override { m_line.reading_paused = paused; }

  private:
    Line& m_line;
};

}  // namespace

std::uint64_t FakeTimers::after(std::chrono::milliseconds delay, std::function<void()> function) {
    m_due[++m_last] = {m_now + delay, std::move(function)};
    return m_last;
}

void FakeTimers::advance(std::chrono::milliseconds by) {
    const std::chrono::milliseconds end = m_now + by;
    while (true) {
        const auto next = std::min_element(m_due.begin(), m_due.end(),
                                           [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
        if (next == m_due.end() || next->second.at > end)
            break;
        m_now = next->second.at;
        const auto function = std::move(next->second.function);
        m_due.erase(next);
        function();
    }
    m_now = end;
}

dap::Result<std::vector<std::size_t>> FakeSource::choose(const std::vector<dap::Worker>& candidates,
                                                         const json& arguments) const {
    const std::string target = arguments.value("target", "");
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (target.empty() || candidates[i].id == target || candidates[i].name == target)
            result.push_back(i);
    }
    return result;
}

std::string FakeSource::setup_expression(const json& arguments, bool first) const {
    return (first ? "first " : "again ") + arguments.dump();
}

void FakeWorker::event(const std::string& name, const json& body) {
    line.hear({{"seq", ++seq}, {"type", "event"}, {"event", name}, {"body", body}});
}

void FakeWorker::answer(const json& request, const json& body) {
    line.hear({{"seq", ++seq},
               {"type", "response"},
               {"request_seq", request["seq"]},
               {"command", request["command"]},
               {"success", true},
               {"body", body}});
}

void FakeWorker::refuse(const json& request, const std::string& message) {
    line.hear({{"seq", ++seq},
               {"type", "response"},
               {"request_seq", request["seq"]},
               {"command", request["command"]},
               {"success", false},
               {"message", message}});
}

void FakeWorker::stop(std::int64_t thread, const std::string& reason) {
    event("stopped", {{"threadId", thread}, {"reason", reason}, {"allThreadsStopped", true}});
}

void FakeWorker::play() {
    while (!line.sent.empty()) {
        const json request = line.sent.front();
        line.sent.pop_front();
        if (request["type"] != "request")
            continue;
        const std::string command = request["command"];
        commands.push_back(command);
        requests.push_back(request);
        if (script && script(request))
            continue;
        if (command == "initialize" && handshakes) {
            event("output", {{"category", "telemetry"}, {"output", "debugpy"}});
            event("debugpySockets");
            answer(request, {{"supportsCompletionsRequest", true}, {"supportsTerminateRequest", true}});
        } else if (command == "attach" && handshakes) {
            attach_seq = request["seq"];
            event("debugpyWaitingForServer");
            event("initialized");
        } else if (command == "evaluate" && handshakes) {
            answer(request, {{"result", "''"}});
        } else if (command == "configurationDone") {
            answer(request);
            answer({{"seq", attach_seq}, {"command", "attach"}});
            event("process", {{"name", "worker"}});
            event("thread", {{"reason", "started"}, {"threadId", 1}});
            if (stops)
                stop();
        } else if (command == "disconnect" && leaves) {
            answer(request);
            event("terminated");
            line.break_off();
        } else if (command == "continue" || command == "next") {
            answer(request, {{"allThreadsContinued", true}});
            event("continued", {{"threadId", 1}, {"allThreadsContinued", true}});
        } else if (command.starts_with("set")) {
            answer(request);
        }
    }
}

std::int64_t FakeWorker::count(const std::string& command) const {
    return std::count(commands.begin(), commands.end(), command);
}

json FakeWorker::last(const std::string& command) const {
    for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
        if ((*request)["command"] == command)
            return *request;
    }
    return nullptr;
}

std::int64_t FakeClient::send(const std::string& command, const json& arguments) {
    json message = {{"seq", ++seq}, {"type", "request"}, {"command", command}};
    if (!arguments.is_null())
        message["arguments"] = arguments;
    if (command == "attach" && wants_one && !arguments.contains("sessions") && !arguments.contains("child"))
        message["arguments"]["sessions"] = "single";
    line.hear(message);
    return seq;
}

json FakeClient::take(const std::string& what, const std::function<bool(const json&)>& match) {
    const auto found = std::find_if(line.sent.begin(), line.sent.end(), match);
    if (found == line.sent.end()) {
        std::string all;
        for (const json& message : line.sent)
            all += "\n  " + message.dump();
        FAIL("the client got no " << what << "; it has" << all);
    }
    json message = std::move(*found);
    line.sent.erase(found);
    return message;
}

json FakeClient::expect_response(std::int64_t request_seq) {
    return take("response to " + std::to_string(request_seq),
                [&](const json& m) { return m["type"] == "response" && m["request_seq"] == request_seq; });
}

json FakeClient::expect_success(std::int64_t request_seq) {
    const json response = expect_response(request_seq);
    CHECK_MESSAGE(response["success"] == true, response.dump());
    return response.value("body", json());
}

json FakeClient::expect_error(std::int64_t request_seq) {
    const json response = expect_response(request_seq);
    CHECK_MESSAGE(response["success"] == false, response.dump());
    return response["body"]["error"];
}

json FakeClient::expect_event(const std::string& name) {
    return take("event " + name, [&](const json& m) { return m["type"] == "event" && m["event"] == name; })
        .value("body", json());
}

json FakeClient::expect_request(const std::string& command) {
    return take("request " + command, [&](const json& m) { return m["type"] == "request" && m["command"] == command; });
}

std::size_t FakeClient::count_requests(const std::string& command) const {
    return static_cast<std::size_t>(std::count_if(line.sent.begin(), line.sent.end(), [&](const json& m) {
        return m["type"] == "request" && m["command"] == command;
    }));
}

void FakeClient::reply(const json& request, bool success) {
    line.hear({{"seq", ++seq},
               {"type", "response"},
               {"request_seq", request["seq"]},
               {"command", request["command"]},
               {"success", success}});
}

bool FakeClient::has_event(const std::string& name) const {
    return count_events(name) > 0;
}

std::size_t FakeClient::count_events(const std::string& name) const {
    return static_cast<std::size_t>(std::count_if(
        line.sent.begin(), line.sent.end(), [&](const json& m) { return m["type"] == "event" && m["event"] == name; }));
}

World::World(dap::BridgeOptions options)
    : bridge(std::make_unique<dap::Bridge>(source, *this, timers, std::move(options))) {}

World::~World() {
    bridge.reset();
}

FakeWorker& World::add_worker(const std::string& id, const std::string& name) {
    auto made = std::make_unique<FakeWorker>();
    FakeWorker& worker = *made;
    worker.id = id;
    worker.ip = "10.0.0." + std::to_string(workers.size() + 1);
    worker.port = static_cast<std::uint16_t>(50000 + workers.size());
    workers[id] = std::move(made);
    dap::Worker row;
    row.id = id;
    row.name = name;
    row.ip = worker.ip;
    row.port = worker.port;
    row.pid = static_cast<std::int64_t>(100 + workers.size());
    row.waiting = true;
    row.paused_at = ++m_pauses;
    row.info = {{"target", id}, {"state", "waiting"}, {"paused_threads", 1}};
    source.now.workers.push_back(row);
    return worker;
}

FakeWorker& World::add_subprocess(const std::string& id, const std::string& parent) {
    auto made = std::make_unique<FakeWorker>();
    made->id = id;
    made->ip = workers.at(parent)->ip;
    made->port = workers.at(parent)->port;
    return *(workers[id] = std::move(made));
}

void World::pause_again(const std::string& id) {
    for (dap::Worker& worker : source.now.workers) {
        if (worker.id == id)
            worker.paused_at = ++m_pauses;
    }
}

void World::unlist(const std::string& id) {
    std::erase_if(source.now.workers, [&](const dap::Worker& worker) { return worker.id == id; });
}

FakeClient& World::add_client(const std::string& client_id, const json& more) {
    FakeClient& client = clients.emplace_back();
    dap::Session& session = bridge->add_session();
    session.open(std::make_unique<FakeWire>(client.line, session));
    if (!client_id.empty()) {
        json arguments = {{"clientID", client_id}, {"adapterID", "ray"}};
        arguments.update(more);
        client.wants_one = !arguments.contains("supportsStartDebuggingRequest");
        client.expect_success(client.send("initialize", arguments));
    }
    return client;
}

void World::look() {
    ++source.now.number;
    bridge->workers_changed();
    settle();
}

void World::settle() {
    for (int round = 0; round < 20; ++round) {
        timers.advance(std::chrono::milliseconds(0));
        for (auto& [id, worker] : workers)
            worker->play();
    }
}

std::int64_t World::begin_attach(FakeClient& client, const json& arguments) {
    const std::int64_t request = client.send("attach", arguments);
    look();
    client.expect_event("initialized");
    return request;
}

std::int64_t World::attach(FakeClient& client, const json& arguments) {
    const std::int64_t request = begin_attach(client, arguments);
    const std::int64_t done = client.send("configurationDone");
    settle();
    client.expect_success(done);
    client.expect_success(request);
    return request;
}

std::unique_ptr<dap::Wire> World::connect(const std::string& ip, std::uint16_t port, bool, dap::WireUser& user) {
    for (auto& [id, worker] : workers) {
        if (worker->ip != ip || worker->port != port || worker->line.user != nullptr)
            continue;
        FakeWorker* peer = worker.get();
        auto wire = std::make_unique<FakeWire>(peer->line, user);
        // Whatever a former connection left is another conversation's.
        peer->line.sent.clear();
        timers.after(std::chrono::milliseconds(0), [peer, told = &user] {
            if (peer->line.user != told)
                return;
            if (peer->connects) {
                told->on_connected();
            } else {
                peer->line.user = nullptr;
                told->on_closed({dap::ErrorCode::worker_unreachable, "Connection refused"});
            }
        });
        return wire;
    }
    throw std::logic_error("the bridge dialled an address that no worker was reported at: " + ip);
}

}  // namespace test

// A farm of paused workers that cost next to nothing: `ray_dap_farm WORKERS`.
//
// One process: a dashboard that lists WORKERS paused workers (at most 10,000, as Ray's does), and behind their
// addresses a debugpy each, on real sockets, with the real one's order of messages (tests/fixtures) and none of its
// waits. All listen at one port; the workers differ by their address in 127.0.0.0/8. Prints {"dashboard": URL} when it
// serves, and ends at SIGTERM.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include "dap/envelope.hpp"
#include "dap/io_loop.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"
#include "tests/unit/fake_dashboard.hpp"

namespace {

using nlohmann::json;

/// What a worker's debugpy says, one connection after the other.
class FakeDebugpy : public dap::WireUser {
  public:
    explicit FakeDebugpy(int number) : m_number(number) {}
    void open(std::unique_ptr<dap::Wire> wire) { m_wire = std::move(wire); }

    void on_connected() override {}
    void on_closed(const dap::Error& /*reason*/) override { m_wire.reset(); }
    void on_congested(bool /*congested*/) override {}

    void on_message(std::string body) override {
        const dap::Result<dap::Envelope> request = dap::scan_envelope(body);
        if (!request || request->type != dap::MessageType::request)
            return;
        const std::string& command = request->name;
        if (command == "initialize") {
            event("output", {{"category", "telemetry"}, {"output", "debugpy"}});
            event("debugpySockets", {{"sockets", json::array()}});
            answer(*request, {{"supportsCompletionsRequest", true}, {"supportsConfigurationDoneRequest", true}});
        } else if (command == "attach") {
            m_attach = *request;
            event("debugpyWaitingForServer", {{"host", "127.0.0.1"}, {"port", 1}});
            event("initialized");
        } else if (command == "configurationDone") {
            answer(*request);
            answer(m_attach);
            event("process", {{"name", "ray::square"}, {"startMethod", "attach"}});
            event("thread", {{"reason", "started"}, {"threadId", 1}});
            event("stopped", {{"reason", "breakpoint"}, {"threadId", 1}, {"allThreadsStopped", true}});
        } else if (command == "threads") {
            answer(*request, {{"threads", {{{"id", 1}, {"name", "MainThread"}}}}});
        } else if (command == "stackTrace") {
            answer(*request, {{"stackFrames", frames()}, {"totalFrames", 2}});
        } else if (command == "scopes") {
            answer(*request, {{"scopes", {{{"name", "Locals"}, {"variablesReference", 2}, {"expensive", false}}}}});
        } else if (command == "variables") {
            answer(*request, {{"variables", {variable("x", m_number), variable("y", m_number % 7)}}});
        } else if (command == "evaluate") {
            answer(*request, {{"result", std::to_string(m_number % 7)}, {"type", "int"}, {"variablesReference", 0}});
        } else if (command == "disconnect") {
            answer(*request);
            event("terminated");
            m_wire.reset();
        } else {
            answer(*request);
        }
    }

  private:
    json frames() const {
        const json source = {{"path", "/tmp/ray/session/tasks.py"}, {"sourceReference", 1}};
        return {{{"id", 1}, {"name", "square"}, {"line", 10 + m_number % 3}, {"column", 1}, {"source", source}},
                {{"id", 2}, {"name", "main"}, {"line", 40}, {"column", 1}, {"source", source}}};
    }
    static json variable(const char* name, int value) {
        return {{"name", name}, {"value", std::to_string(value)}, {"type", "int"}, {"variablesReference", 0}};
    }
    void event(const char* name, const json& body = json::object()) {
        if (m_wire)
            m_wire->send(dap::make_event(++m_seq, name, body));
    }
    void answer(const dap::Envelope& request, const json& body = json::object()) {
        if (m_wire)
            m_wire->send(dap::make_response(++m_seq, request.seq, request.name, body));
    }

    int m_number;
    std::unique_ptr<dap::Wire> m_wire;
    dap::Envelope m_attach;
    std::int64_t m_seq = 0;
};

std::string hex(int number, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%0*x", digits, static_cast<unsigned>(number));
    return text;
}

void serve_dashboard(FakeDashboard& dashboard, int count, int port) {
    json workers = json::array();
    json tasks = json::array();
    for (int i = 1; i <= count; ++i) {
        const std::string id = hex(i, 8) + std::string(48, 'a');
        // 127.0.1.1 and up: never the loopback address that everything else uses.
        const int address = 0x100 + i;
        const std::string ip = "127." + std::to_string(address >> 16) + "." + std::to_string(address >> 8 & 255) + "." +
                               std::to_string(address & 255);
        workers.push_back(worker_row(id, 1, {{"ip", ip}, {"pid", 100000 + i}, {"debugger_port", port}}));
        tasks.push_back(task_row(id, "square", {{"task_id", hex(i, 8) + std::string(40, 'b')}}));
    }
    dashboard.set("/api/version",
                  {.body = R"({"ray_version": "2.60.0", "version": "4", "ray_commit": "", "session_name": "s"})"});
    dashboard.set_rows("workers", workers);
    // Tasks are asked for by worker, or all at once.
    dashboard.set_rows("tasks", tasks);
    dashboard.set_rows("actors", json::array());
    dashboard.set_rows("nodes", json::array());
    dashboard.set_rows("jobs", json::array());
}

}  // namespace

int main(int argc, char** argv) {
    const int count = argc == 2 ? std::atoi(argv[1]) : 0;
    if (count < 1 || count > 10000) {
        std::fprintf(stderr, "usage: ray_dap_farm WORKERS (1 to 10000)\n");
        return 2;
    }
    spdlog::set_level(spdlog::level::warn);
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    dap::IoLoop loop;
    std::vector<std::unique_ptr<FakeDebugpy>> debugpys;
    const auto listening = loop.listen(
        "0.0.0.0", "0",
        [&]() -> dap::WireUser& {
            return *debugpys.emplace_back(std::make_unique<FakeDebugpy>(static_cast<int>(debugpys.size())));
        },
        [](dap::WireUser& user, std::unique_ptr<dap::Wire> wire) {
            static_cast<FakeDebugpy&>(user).open(std::move(wire));
        });
    if (!listening) {
        std::fprintf(stderr, "ray_dap_farm: %s\n", listening.error().message.c_str());
        return 1;
    }
    FakeDashboard dashboard;
    serve_dashboard(dashboard, count, std::stoi(listening->substr(listening->rfind(':') + 1)));
    loop.on_termination([] { std::_Exit(0); });
    std::printf("{\"dashboard\": \"%s\"}\n", dashboard.url().c_str());
    std::fflush(stdout);
    loop.run();
}

// How sessions and workers part: by disconnect, by a lost client, by a lost worker, by the bridge's own end.
#include <doctest/doctest.h>

#include "bridge_fixture.hpp"
#include "fake_worker.hpp"
#include "raw_client.hpp"

using nlohmann::json;
using namespace wire;

namespace {

std::string error_name(const json& response) {
    CHECK(response["success"] == false);
    return response.value("message", "");
}

}  // namespace

TEST_CASE("wire: a worker that dies leaves no request without its one answer") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.ignore("evaluate");
    worker.ignore("variables");
    std::vector<std::int64_t> pending;
    for (int i = 0; i < 5; ++i) {
        pending.push_back(client.request("evaluate", {{"expression", "1"}}));
        pending.push_back(client.request("variables", {{"variablesReference", i}}));
    }
    worker.wait_for("variables", 5);
    worker.die();
    for (const std::int64_t seq : pending) {
        const json answer = client.response(seq);
        CHECK(error_name(answer) == "worker-lost");
        CHECK((answer["command"] == "evaluate" || answer["command"] == "variables"));
    }
    client.event("terminated");
    CHECK(error_name(client.ask("threads")) == "invalid-request");
    CHECK(client.ask("disconnect")["success"] == true);
    client.read_to_end();
    for (std::int64_t seq = 1; seq <= client.last_seq(); ++seq)
        CHECK(client.responses(seq) == 1);
    CHECK(client.events("terminated") == 1);
}

TEST_CASE("wire: a worker that ends says so once") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.ignore("evaluate");
    const std::int64_t pending = client.request("evaluate", {{"expression", "1"}});
    worker.wait_for("evaluate", 2);
    worker.send_event("exited", {{"exitCode", 0}});
    worker.send_event("terminated", json::object());
    worker.send_event("terminated", json::object());
    client.event("exited");
    CHECK(error_name(client.response(pending)) == "worker-lost");
    client.event("terminated");
    worker.die();
    // What dape does: it answers `terminated` with `disconnect` (facts of clients).
    CHECK(client.ask("disconnect", {{"restart", false}})["success"] == true);
    client.socket().half_close();
    client.read_to_end();
    CHECK(client.events("terminated") == 1);
}

TEST_CASE("wire: a worker that dies in the handshake") {
    FakeWorker worker;
    worker.ignore("initialize");
    worker.ignore("attach");
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    const std::int64_t attach = client.request("attach", {{"target", "worker-1"}});
    worker.wait_for("attach");
    worker.die();
    CHECK(error_name(client.response(attach)) == "worker-lost");
    CHECK(client.events("terminated") == 0);
    // The session can be used again.
    FakeWorker other("worker-2");
    bridge.set_workers({other.row()});
    client.request("attach", {{"target", "worker-2"}});
    client.event("initialized");
}

TEST_CASE("wire: a worker that another debugger has") {
    FakeWorker worker;
    worker.refuse("attach", "Server[pid=1] is already being debugged.");
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    CHECK(error_name(client.ask("attach", {{"target", "worker-1"}})) == "worker-busy");
    worker.wait_closed();
}

TEST_CASE("wire: an address that refuses connections is named") {
    dap::Worker gone;
    gone.id = "worker-1";
    gone.name = "square";
    gone.ip = "127.0.0.1";
    gone.port = unused_port();
    gone.pid = 12;
    gone.waiting = true;
    for (const json& arguments : {json{{"target", "worker-1"}}, json{{"wait", 0}}}) {
        BridgeFixture bridge({gone});
        RawClient client(bridge.port());
        client.initialize();
        const json answer = client.ask("attach", arguments);
        CHECK(error_name(answer) == "worker-unreachable");
        const std::string text = answer["body"]["error"]["format"];
        CHECK(text.find("127.0.0.1:" + std::to_string(gone.port)) != std::string::npos);
        CHECK(text.find("square") != std::string::npos);
    }
    // Without a target the next worker is taken.
    FakeWorker worker("worker-2", 2);
    BridgeFixture bridge({gone, worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    client.request("attach", {{"sessions", "single"}});
    client.event("initialized");
    CHECK(worker.connections() == 1);
}

TEST_CASE("wire: a killed client's worker is held, and the next attach takes it up where it stands") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.attach();
        client.ask("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", {{{"line", 1}}}}});
        client.kill();
    }
    bridge.wait_for_state("worker-1", "held");
    bridge.set_workers({});  // the dashboard no longer reports it: it has a debugger
    RawClient client(bridge.port());
    client.initialize();
    const std::int64_t attach = client.request("attach", {{"sessions", "single"}});
    client.event("initialized");
    client.ask("configurationDone");
    CHECK(client.response(attach)["success"] == true);
    CHECK(client.event("process")["body"]["systemProcessId"] == 4711);
    const json stopped = client.event("stopped");
    CHECK(stopped["body"]["reason"] == "breakpoint");
    CHECK(stopped["body"]["threadId"] == 1);
    CHECK(client.events("stopped") == 1);
    CHECK(client.ask("threads")["success"] == true);
    CHECK(worker.connections() == 1);
    CHECK(worker.count("configurationDone") == 1);
    CHECK(worker.count("disconnect") == 0);
    // The former client's breakpoints are gone, and the options are those of the new one.
    CHECK(worker.wait_for("setBreakpoints", 2).json["arguments"]["breakpoints"] == json::array());
    CHECK(worker.wait_for("evaluate", 2).json["arguments"]["expression"] == "setup(first=False)");
    CHECK(bridge.targets()[0]["state"] == "attached");
}

TEST_CASE("wire: a held worker that goes on running is not taken without being named") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.attach();
        client.ask("continue", {{"threadId", 1}});
        client.event("continued");
    }
    bridge.wait_for_state("worker-1", "held");
    bridge.set_workers({});
    RawClient client(bridge.port());
    client.initialize();
    CHECK(error_name(client.ask("attach", {{"wait", 0}})) == "nothing-paused");
    const std::int64_t attach = client.request("attach", {{"target", "worker-1"}});
    client.event("initialized");
    client.ask("configurationDone");
    CHECK(client.response(attach)["success"] == true);
    client.ask("threads");
    CHECK(client.events("stopped") == 0);
    // A stop comes through as ever.
    worker.send_event("stopped", {{"reason", "step"}, {"threadId", 1}});
    CHECK(client.event("stopped")["body"]["reason"] == "step");
}

TEST_CASE("wire: what a held worker says is told to the next client, its answers to the former one are not") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    std::int64_t lost = 0;
    {
        RawClient client(bridge.port());
        client.attach();
        worker.ignore("evaluate");
        client.request("evaluate", {{"expression", "1"}});
        lost = worker.wait_for("evaluate", 2).json["seq"];
        client.kill();
    }
    bridge.wait_for_state("worker-1", "held");
    worker.send_event("continued", {{"threadId", 1}, {"allThreadsContinued", true}});
    worker.send_event("stopped", {{"reason", "exception"}, {"threadId", 2}});
    worker.send_text(R"({"seq":500,"type":"response","request_seq":)" + std::to_string(lost) +
                     R"(,"success":true,"command":"evaluate","body":{"result":"old"}})");
    worker.answer("evaluate", R"({"result":"None","variablesReference":0})");
    wait_until("no second stop", [&bridge] { return bridge.targets()[0]["paused_threads"] == 1; });
    FakeWorker other("worker-2");
    RawClient client(bridge.port());
    client.initialize();
    client.request("attach", {{"target", "worker-1"}});
    // The setup is not answered here (ignored above), so answer it.
    const std::int64_t setup = worker.wait_for("evaluate", 3).json["seq"];
    worker.send_text(R"({"seq":501,"type":"response","request_seq":)" + std::to_string(setup) +
                     R"(,"success":true,"command":"evaluate","body":{"result":"None"}})");
    client.event("initialized");
    client.ask("configurationDone");
    const json stopped = client.event("stopped");
    CHECK(stopped["body"] == json{{"reason", "exception"}, {"threadId", 2}});
    client.ask("threads");
    CHECK(client.events("stopped") == 1);
    CHECK(client.count([](const json& message) { return message.value("command", "") == "evaluate"; }) == 0);
}

TEST_CASE("wire: a client lost before configurationDone leaves the worker waiting") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.initialize();
        client.request("attach", {{"sessions", "single"}});
        client.event("initialized");
        client.kill();
    }
    CHECK(worker.wait_for("disconnect").json["arguments"]["terminateDebuggee"] == false);
    worker.wait_closed();
    CHECK(worker.count("configurationDone") == 0);
    // And the next one gets it.
    RawClient client(bridge.port());
    client.attach();
    CHECK(worker.connections() == 2);
}

TEST_CASE("wire: a worker that was let go while it waited is there for the next, even one that does not wait") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.initialize();
        client.request("attach", {{"sessions", "single"}});
        client.event("initialized");
        client.kill();
    }
    worker.wait_for("disconnect");
    for (const json& arguments :
         {json{{"wait", 0}, {"sessions", "single"}}, json{{"wait", 0}, {"target", "worker-1"}}}) {
        RawClient client(bridge.port());
        client.initialize();
        const std::int64_t attach = client.request("attach", arguments);
        std::string text;
        do
            text = client.next();
        while (text.find("\"initialized\"") == std::string::npos && client.responses(attach) == 0);
        CHECK(client.responses(attach) == 0);
        CHECK(client.events("initialized") == 1);
        client.ask("disconnect");
    }
}

TEST_CASE("wire: onDisconnect resume lets a lost client's worker go") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.attach({{"onDisconnect", "resume"}});
        client.kill();
    }
    CHECK(worker.wait_for("disconnect").json["arguments"]["terminateDebuggee"] == false);
    worker.wait_closed();
}

TEST_CASE("wire: holdFor ends a hold") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    {
        RawClient client(bridge.port());
        client.attach({{"holdFor", 0.05}});
        client.kill();
    }
    worker.wait_for("disconnect");
    worker.wait_closed();
}

TEST_CASE("wire: disconnect releases, suspends, or holds for a window that is gone") {
    struct Case {
        const char* client;
        json arguments;
        bool held;
    };
    for (const Case& one : std::vector<Case>{
             {"test", nullptr, false},
             {"neovim", {{"restart", false}}, false},
             {"neovim", {{"restart", false}, {"terminateDebuggee", true}}, false},
             {"test", {{"terminateDebuggee", false}}, false},
             {"test", {{"suspendDebuggee", true}}, true},
             {"test", {{"restart", true}}, true},
             {"vscode", {{"restart", false}}, true},
             {"vscode", {{"restart", false}, {"terminateDebuggee", false}, {"suspendDebuggee", false}}, false},
             {"vscode", {{"restart", false}, {"terminateDebuggee", false}, {"suspendDebuggee", true}}, true},
         }) {
        CAPTURE(one.client);
        CAPTURE(one.arguments.dump());
        FakeWorker worker;
        BridgeFixture bridge({worker.row()});
        RawClient client(bridge.port());
        client.initialize(one.client);
        client.request("attach", {{"sessions", "single"}});
        client.event("initialized");
        client.ask("configurationDone");
        client.event("stopped");
        const json answer = client.ask("disconnect", one.arguments);
        CHECK(answer["success"] == true);
        CHECK(client.events("terminated") == 1);
        CHECK(worker.count("terminate") == 0);
        CHECK(worker.count("disconnect") == (one.held ? 0 : 1));
        if (one.held) {
            bridge.wait_for_state("worker-1", "held");
        } else {
            CHECK(worker.wait_for("disconnect").json["arguments"]["terminateDebuggee"] == false);
            worker.wait_closed();
        }
    }
}

TEST_CASE("wire: requests that are open at a disconnect fail") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.ignore("evaluate");
    const std::int64_t pending = client.request("evaluate", {{"expression", "1"}});
    worker.wait_for("evaluate", 2);
    CHECK(client.ask("disconnect", {{"terminateDebuggee", false}})["success"] == true);
    // A success without the body that its command promises would break the client.
    CHECK(client.response(pending)["success"] == false);
    CHECK(client.responses(pending) == 1);
}

TEST_CASE("wire: requests that are open when the client holds the worker are answered") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.ignore("evaluate");
    const std::int64_t pending = client.request("evaluate", {{"expression", "1"}});
    worker.wait_for("evaluate", 2);
    CHECK(client.ask("disconnect", {{"suspendDebuggee", true}})["success"] == true);
    client.socket().half_close();
    client.read_to_end();
    CHECK(client.responses(pending) == 1);
}

TEST_CASE("wire: terminate does not kill unless it is allowed") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    CHECK(client.ask("terminate")["success"] == true);
    client.event("terminated");
    worker.wait_closed();
    CHECK(worker.count("terminate") == 0);
    CHECK(worker.count("disconnect") == 1);

    RawClient other(bridge.port());
    other.attach({{"sessions", "single"}, {"allowTerminate", true}});
    other.ask("terminate");
    worker.wait_for("terminate");
}

TEST_CASE("wire: the bridge's end releases workers and tells clients") {
    FakeWorker attached("worker-1", 1);
    FakeWorker held("worker-2", 2);
    BridgeFixture bridge({attached.row(), held.row()});
    RawClient one(bridge.port());
    one.attach({{"target", "worker-1"}});
    {
        RawClient lost(bridge.port());
        lost.attach({{"target", "worker-2"}});
        lost.kill();
    }
    bridge.wait_for_state("worker-2", "held");
    RawClient waiting(bridge.port());
    waiting.initialize();
    const std::int64_t attach = waiting.request("attach", {{"sessions", "single"}, {"target", "nobody"}});
    waiting.event("output");
    RawClient silent(bridge.port());
    bridge.stop();
    one.read_to_end();
    CHECK(one.events("terminated") == 1);
    waiting.read_to_end();
    CHECK(error_name(waiting.response(attach)) == "cancelled");
    silent.read_to_end();
    for (FakeWorker* worker : {&attached, &held}) {
        worker->wait_closed();
        CHECK(worker->wait_for("disconnect").json["arguments"]["terminateDebuggee"] == false);
    }
}

// The order of a session, told through a real socket.
#include <doctest/doctest.h>

#include "bridge_fixture.hpp"
#include "fake_worker.hpp"
#include "raw_client.hpp"

using nlohmann::json;
using namespace wire;

namespace {

std::string error_name(const json& response) {
    CHECK(response["success"] == false);
    CHECK(response["body"]["error"]["id"].is_number_integer());
    return response.value("message", "");
}

}  // namespace

TEST_CASE("wire: requests before initialize") {
    const BridgeFixture bridge;
    RawClient client(bridge.port());
    for (const char* command : {"attach", "launch", "threads", "configurationDone", "terminate", "cancel", "rayTargets",
                                "setBreakpoints", "unknown"}) {
        CAPTURE(command);
        CHECK(error_name(client.ask(command)) == "invalid-request");
    }
    CHECK(client.initialize()["success"] == true);
}

TEST_CASE("wire: initialize") {
    const BridgeFixture bridge;
    RawClient client(bridge.port());
    CHECK(error_name(client.ask("initialize", {{"pathFormat", "uri"}})) == "invalid-request");
    const json capabilities = client.initialize()["body"];
    CHECK(capabilities["supportSuspendDebuggee"] == true);
    CHECK_FALSE(capabilities.contains("supportsTerminateRequest"));
    CHECK(error_name(client.ask("initialize")) == "invalid-request");
    // `arguments` may be missing or null.
    RawClient other(bridge.port());
    other.send(frame(R"({"seq":1,"type":"request","command":"initialize","arguments":null})"));
    CHECK(other.response(1)["success"] == true);
}

TEST_CASE("wire: launch, a second attach and early requests are refused") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    const json launch = client.ask("launch", {{"program", "x.py"}});
    CHECK(error_name(launch) == "invalid-request");
    CHECK(launch["body"]["error"]["format"].get<std::string>().find("attach") != std::string::npos);
    CHECK(error_name(client.ask("configurationDone")) == "invalid-request");
    CHECK(error_name(client.ask("threads")) == "invalid-request");
    const std::int64_t attach = client.request("attach", {{"sessions", "single"}});
    CHECK(error_name(client.ask("attach", {{"sessions", "single"}})) == "invalid-request");
    client.event("initialized");
    CHECK(error_name(client.ask("attach", {{"sessions", "single"}})) == "invalid-request");
    CHECK(client.ask("configurationDone")["success"] == true);
    CHECK(client.response(attach)["success"] == true);
    client.event("stopped");
    CHECK(error_name(client.ask("attach", {{"sessions", "single"}})) == "invalid-request");
    CHECK(error_name(client.ask("launch", json::object())) == "invalid-request");
    CHECK(error_name(client.ask("configurationDone")) == "invalid-request");
    CHECK(worker.count("attach") == 1);
    CHECK(worker.count("configurationDone") == 1);
}

TEST_CASE("wire: an attach, message by message") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    const std::int64_t attach =
        client.request("attach", {{"sessions", "single"}, {"token", "unused"}, {"logToFile", true}});
    client.event("initialized");
    // Lazy: nothing releases the worker before its client is ready.
    CHECK(worker.count("configurationDone") == 0);
    CHECK(client.responses(attach) == 0);
    client.ask("configurationDone");
    CHECK(client.response(attach)["success"] == true);
    client.event("process");
    client.event("thread");
    CHECK(client.event("stopped")["body"]["reason"] == "breakpoint");

    const json sent = worker.wait_for("attach").json["arguments"];
    CHECK(sent == json{{"justMyCode", true}, {"logToFile", true}});
    CHECK(worker.wait_for("initialize").json["arguments"]["supportsStartDebuggingRequest"] == false);
    CHECK(worker.wait_for("evaluate").json["arguments"]["expression"] == "setup(first=True)");
    // A post-mortem stops with this filter only.
    CHECK(worker.wait_for("setExceptionBreakpoints").json["arguments"]["filters"] == json{"uncaught"});
    // In the worker's order, and nothing of debugpy's own.
    std::vector<std::string> order;
    for (const FakeWorker::Heard& heard : worker.heard())
        order.push_back(heard.json["command"]);
    CHECK(order ==
          std::vector<std::string>{"initialize", "attach", "evaluate", "setExceptionBreakpoints", "configurationDone"});
    CHECK(client.events("debugpySockets") == 0);
    CHECK(client.events("debugpyWaitingForServer") == 0);
    CHECK(client.events("output") == 0);
    for (const char* once : {"initialized", "process", "thread", "stopped"})
        CHECK(client.events(once) == 1);
}

TEST_CASE("wire: numbers grow by one on both sides") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    for (int i = 0; i < 5; ++i)
        client.ask("threads");
    std::int64_t seq = 0;
    client.count([&seq](const json& message) {
        CHECK(message["seq"] == ++seq);
        return true;
    });
    seq = 0;
    for (const FakeWorker::Heard& heard : worker.heard())
        CHECK(heard.json["seq"] == ++seq);
}

TEST_CASE("wire: several requests in one segment") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    std::string bytes = client.make_request("initialize", {{"adapterID", "ray"}});
    bytes += client.make_request("threads");
    bytes += client.make_request("attach", {{"sessions", "single"}});
    client.send(bytes);
    CHECK(client.response(1)["success"] == true);
    CHECK(client.response(2)["success"] == false);
    client.event("initialized");
    bytes = client.make_request("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", json::array()}});
    bytes += client.make_request("setExceptionBreakpoints", {{"filters", {"raised"}}});
    bytes += client.make_request("configurationDone");
    bytes += client.make_request("threads");
    client.send(bytes);
    for (const std::int64_t seq : {3, 4, 5, 6, 7})
        CHECK(client.response(seq)["success"] == true);
    client.event("stopped");
    CHECK(worker.wait_for("setExceptionBreakpoints").json["arguments"]["filters"] == json{"raised", "uncaught"});
    CHECK(worker.count("setExceptionBreakpoints") == 1);
}

TEST_CASE("wire: one byte at a time") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    const auto slowly = [&client](const std::string& bytes) {
        for (const char byte : bytes)
            client.send(std::string_view(&byte, 1));
        return client.last_seq();
    };
    CHECK(client.response(slowly(client.make_request("initialize", json::object())))["success"] == true);
    const std::int64_t attach = slowly(client.make_request("attach", {{"target", "worker-1"}}));
    client.event("initialized");
    slowly(client.make_request("configurationDone"));
    CHECK(client.response(attach)["success"] == true);
    client.event("stopped");
}

TEST_CASE("wire: a client that sends no more still gets its answers") {
    const BridgeFixture bridge;
    RawClient client(bridge.port());
    std::string bytes = client.make_request("initialize", json::object());
    for (int i = 0; i < 100; ++i)
        bytes += client.make_request("threads");
    client.send(bytes);
    client.socket().half_close();
    client.read_to_end();
    CHECK(client.received() == 101);
    for (std::int64_t seq = 1; seq <= 101; ++seq)
        CHECK(client.responses(seq) == 1);
}

TEST_CASE("wire: unknown requests, responses and events pass byte for byte") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    const auto numbered = [](std::string text, std::int64_t seq, std::int64_t request_seq) {
        if (const auto at = text.find("SEQ1"); at != std::string::npos)
            text.replace(at, 4, std::to_string(seq));
        if (const auto at = text.find("SEQ2"); at != std::string::npos)
            text.replace(at, 4, std::to_string(request_seq));
        return text;
    };
    const std::string request =
        R"({ "arguments" : {"z":1.50,"a":[ ],"seq":3,"\u0073eq":"\udc80"}, "command":"fooBar" ,"seq" : SEQ1,"type":"request"})";
    client.send(frame(numbered(request, 900, 0)));
    worker.ignore("barFoo");
    const FakeWorker::Heard heard = worker.wait_for("fooBar");
    CHECK(heard.text == numbered(request, heard.json["seq"], 0));
    CHECK(client.response(900)["success"] == true);

    const std::string asked = R"({"seq":SEQ1,"type":"request","command":"barFoo"})";
    client.send(frame(numbered(asked, 901, 0)));
    const std::int64_t worker_seq = worker.wait_for("barFoo").json["seq"];
    const std::string response =
        R"({"success" :true, "request_seq": SEQ2 ,"extra":[{}],"type":"response","body":{"\udc80":"\ud800","a":1e2},"seq":SEQ1 })";
    const std::string event = R"( {"type":"event","event":"rayFuture","seq":SEQ1,"body":{"text":"\udc80\/"}} )";
    worker.send_text(numbered(event, 77, 0));
    worker.send_text(numbered(response, 78, worker_seq));

    std::string text;
    do
        text = client.next();
    while (text.find("rayFuture") == std::string::npos);
    const std::int64_t seq = static_cast<std::int64_t>(client.received());
    CHECK(text == numbered(event, seq, 0));
    CHECK(client.next() == numbered(response, seq + 1, 901));
}

TEST_CASE("wire: a worker's own request goes to the client and back") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.send_text(R"({"seq":7777,"type":"request","command":"runInTerminal","arguments":{"args":["x"]}})");
    json request;
    do
        request = json::parse(client.next());
    while (request["type"] != "request");
    CHECK(request["command"] == "runInTerminal");
    CHECK(request["arguments"] == json{{"args", {"x"}}});
    const json answer = {{"seq", 60},       {"type", "response"},         {"request_seq", request["seq"]},
                         {"success", true}, {"command", "runInTerminal"}, {"body", {{"processId", 5}}}};
    client.send(frame(answer.dump()));
    client.send(frame(answer.dump()));  // once is enough
    const json heard = worker.wait_for_response(7777).json;
    CHECK(heard["body"] == answer["body"]);
    client.ask("threads");
    int responses = 0;
    for (const FakeWorker::Heard& message : worker.heard())
        responses += message.json["type"] == "response" ? 1 : 0;
    CHECK(responses == 1);
}

TEST_CASE("wire: the token is asked for before anything happens upstream") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()}, "right token");
    RawClient client(bridge.port());
    client.initialize();
    for (const json& arguments :
         {json(), json::object(), json{{"token", "wrong"}}, json{{"token", ""}}, json{{"token", "right tokenX"}},
          json{{"token", 1}}, json{{"token", {"right token"}}}, json{{"token", "wrong"}, {"processId", 1}}}) {
        CAPTURE(arguments.dump());
        const json answer = client.ask("attach", arguments);
        CHECK(error_name(answer) == "unauthorized");
        CHECK(answer.dump().find("right token") == std::string::npos);
    }
    CHECK(error_name(client.ask("rayTargets", {{"token", "wrong"}})) == "unauthorized");
    CHECK(error_name(client.ask("rayTargets")) == "unauthorized");
    CHECK(bridge.refreshes() == 0);
    CHECK(worker.connections() == 0);
    CHECK(client.ask("rayTargets", {{"token", "right token"}})["success"] == true);
    const std::int64_t attach = client.request("attach", {{"token", "right token"}});
    client.event("initialized");
    client.ask("configurationDone");
    CHECK(client.response(attach)["success"] == true);
    for (const FakeWorker::Heard& heard : worker.heard())
        CHECK(heard.text.find("right token") == std::string::npos);
}

TEST_CASE("wire: refused attach arguments leave the session usable") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.initialize();
    CHECK(error_name(client.ask("attach", {{"wait", "long"}})) == "invalid-arguments");
    CHECK(error_name(client.ask("attach", {{"processId", 1}})) == "forbidden-argument");
    CHECK(error_name(client.ask("attach", {{"host", "10.0.0.1"}, {"port", 22}})) == "forbidden-argument");
    CHECK(bridge.refreshes() == 0);
    CHECK(worker.connections() == 0);
    client.request("attach", nullptr);
    client.event("initialized");
}

TEST_CASE("wire: nothing paused") {
    BridgeFixture bridge;
    RawClient client(bridge.port());
    client.initialize();
    CHECK(error_name(client.ask("attach", {{"wait", 0}})) == "nothing-paused");
    CHECK(error_name(client.ask("attach", {{"wait", 0.05}})) == "nothing-paused");
    bridge.with_source([](FakeSource& source) {
        source.set_trouble(dap::Error{dap::ErrorCode::dashboard_unreachable, "No dashboard."});
    });
    CHECK(error_name(client.ask("attach", {{"wait", 0}})) == "dashboard-unreachable");
}

TEST_CASE("wire: nothing is said of the cluster before a look that began after the attach") {
    FakeWorker worker;
    BridgeFixture bridge;
    bridge.with_source([](FakeSource& source) { source.set_automatic(false); });
    RawClient client(bridge.port());
    client.initialize();
    const std::int64_t attach = client.request("attach", {{"sessions", "single"}, {"wait", 0}});
    wait_until("the bridge did not look", [&bridge] { return bridge.refreshes() == 1; });
    CHECK(client.ask("threads")["success"] == false);
    CHECK(client.responses(attach) == 0);
    bridge.set_workers({worker.row()});
    client.event("initialized");
    CHECK(client.responses(attach) == 0);
}

TEST_CASE("wire: a wait can be cancelled, and each request is answered once") {
    BridgeFixture bridge;
    RawClient client(bridge.port());
    client.initialize();
    const std::int64_t attach = client.request("attach", {{"sessions", "single"}});
    client.event("output");
    CHECK(client.ask("cancel", {{"requestId", attach}})["success"] == true);
    CHECK(error_name(client.response(attach)) == "cancelled");
    const std::int64_t second = client.request("attach", {{"sessions", "single"}});
    CHECK(client.ask("disconnect")["success"] == true);
    CHECK(error_name(client.response(second)) == "cancelled");
    client.socket().half_close();
    client.read_to_end();
    CHECK(client.responses(attach) == 1);
    CHECK(client.responses(second) == 1);
    CHECK(client.events("terminated") == 0);
}

TEST_CASE("wire: two clients never get the same worker") {
    FakeWorker first("worker-1", 1);
    FakeWorker second("worker-2", 2);
    BridgeFixture bridge({second.row(), first.row()});
    RawClient one(bridge.port());
    RawClient two(bridge.port());
    one.attach();
    CHECK(first.connections() == 1);  // it has waited longer
    two.attach();
    CHECK(second.connections() == 1);
    RawClient three(bridge.port());
    three.initialize();
    CHECK(error_name(three.ask("attach", {{"wait", 0}})) == "nothing-paused");
    CHECK(error_name(three.ask("attach", {{"target", "worker-1"}})) == "target-in-session");
    CHECK(first.connections() == 1);
    CHECK(second.connections() == 1);
}

// Rules of a single session: what a client sees from initialize to the end.
#include <doctest/doctest.h>

#include "tests/unit/fake_world.hpp"

using namespace test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a session goes from initialize to the stop, in the order of the protocol") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    const std::int64_t attach = client.send("attach");
    CHECK_FALSE(client.has_event("initialized"));
    world.look();
    client.expect_event("initialized");
    CHECK(worker.commands == std::vector<std::string>{"initialize", "attach", "evaluate"});

    SUBCASE("lazily: nothing releases Ray's wait before the client is ready") {
        CHECK(worker.count("configurationDone") == 0);
    }
    SUBCASE("configurationDone brings the attach response and the stop") {
        const std::int64_t done = client.send("configurationDone");
        world.settle();
        client.expect_success(done);
        client.expect_success(attach);
        client.expect_event("process");
        CHECK(client.expect_event("stopped")["threadId"] == 1);
        CHECK(worker.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"uncaught"});
    }
}

TEST_CASE("requests and answers pass as they are, with their numbers replaced") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    // An unknown request, with a number that a client counted in its own way and a spelling that must survive.
    client.line.hear_bytes(
        R"({ "command":"frobnicate" ,"seq": 4711, "type":"request","arguments":{"x": 1.50, "s":"ä"}})");
    world.settle();
    const json request = worker.last("frobnicate");
    CHECK(request["arguments"] == json{{"x", 1.5}, {"s", "ä"}});
    CHECK(request["seq"] != 4711);
    worker.line.hear_bytes(R"({"seq":1,"type":"response","request_seq":)" + request["seq"].dump() +
                           R"(,"success":true,"command":"frobnicate","body":{"bad":"\udc80","n":1.50}})");
    CHECK(client.line.sent_bytes.back().find(R"("body":{"bad":"\udc80","n":1.50})") != std::string::npos);
    CHECK(client.line.sent_bytes.back().find(R"("request_seq":4711)") != std::string::npos);
    worker.event("unheardOf", {{"a", 1}});
    CHECK(client.expect_event("unheardOf") == json{{"a", 1}});
}

TEST_CASE("the numbers of what the bridge sends grow without a gap") {
    World world;
    world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    std::int64_t expected = 0;
    for (const std::string& bytes : client.line.sent_bytes)
        CHECK(json::parse(bytes)["seq"] == ++expected);
}

TEST_CASE("debugpy's own talk stays away from clients") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    worker.event("debugpySockets");
    worker.event("debugpyWaitingForServer");
    CHECK_FALSE(client.has_event("debugpySockets"));
    CHECK_FALSE(client.has_event("debugpyWaitingForServer"));
    CHECK(client.count_events("output") == 0);  // telemetry from before the attach
}

TEST_CASE("what a session refuses, it refuses with a reason") {
    World world;
    world.add_worker("w1");
    FakeClient& early = world.add_client("");
    CHECK(early.expect_error(early.send("threads"))["format"].get<std::string>().find("initialize") !=
          std::string::npos);
    FakeClient& client = world.add_client();
    client.expect_error(client.send("initialize"));
    client.expect_error(client.send("launch"));
    client.expect_error(client.send("threads"));
    client.expect_error(client.send("configurationDone"));
    client.expect_error(client.send("attach", {{"wait", "soon"}}));
    client.expect_error(client.send("attach", {{"processId", 1}}));
    world.attach(client);
    client.expect_error(client.send("attach"));
    client.expect_error(client.send("configurationDone"));
}

TEST_CASE("uncaught is always among the exception filters, unless switched off") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("added to the client's own") {
        world.begin_attach(client);
        client.send("setExceptionBreakpoints", {{"filters", {"raised"}}});
        world.settle();
        CHECK(worker.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"raised", "uncaught"});
        client.send("configurationDone");
        world.settle();
        CHECK(worker.count("setExceptionBreakpoints") == 1);
    }
    SUBCASE("not twice") {
        world.begin_attach(client);
        client.send("setExceptionBreakpoints", {{"filters", {"uncaught"}}});
        world.settle();
        CHECK(worker.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"uncaught"});
    }
    SUBCASE("off") {
        world.begin_attach(client, {{"postMortem", false}});
        client.send("setExceptionBreakpoints", {{"filters", json::array()}});
        world.settle();
        CHECK(worker.last("setExceptionBreakpoints")["arguments"]["filters"].empty());
    }
}

TEST_CASE("arguments: ours stay here, debugpy's go on, justMyCode is always said") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client, {{"target", "w1"}, {"wait", 3}, {"connect", {{"host", "h"}}}, {"showReturnValue", true}});
    CHECK(worker.last("attach")["arguments"] == json{{"justMyCode", true}, {"showReturnValue", true}});
}

TEST_CASE("waiting") {
    World world;
    FakeClient& client = world.add_client();
    SUBCASE("wait 0 fails at once where nothing is paused") {
        const std::int64_t request = client.send("attach", {{"wait", 0}});
        CHECK(client.line.sent.empty());  // not before a look that began after the request
        world.look();
        CHECK(client.expect_error(request)["id"] == 1012);
    }
    SUBCASE("a wait ends with its time") {
        const std::int64_t request = client.send("attach", {{"wait", 2}});
        world.look();
        client.expect_event("output");
        world.timers.advance(milliseconds(1999));
        CHECK(client.line.sent.empty());
        world.timers.advance(milliseconds(1));
        CHECK(client.expect_error(request)["id"] == 1012);
        CHECK(world.source.waiting_sessions == 0);
    }
    SUBCASE("a worker that pauses meanwhile is taken") {
        const std::int64_t request = client.send("attach");
        world.look();
        CHECK(world.source.waiting_sessions == 1);
        world.add_worker("w1");
        world.look();
        client.expect_event("initialized");
        CHECK(world.source.waiting_sessions == 0);
        client.send("configurationDone");
        world.settle();
        client.expect_success(request);
    }
    SUBCASE("it can be cancelled, and tried again") {
        const std::int64_t request = client.send("attach");
        world.look();
        client.expect_success(client.send("cancel", {{"requestId", request}}));
        const json response = client.expect_response(request);
        CHECK(response["success"] == false);
        CHECK(response["message"] == "cancelled");
        world.add_worker("w1");
        world.attach(client);
    }
    SUBCASE("the reason is shown: trouble with the dashboard") {
        client.send("attach");
        world.source.now.trouble = dap::Error{dap::ErrorCode::dashboard_unreachable, "no dashboard at X"};
        world.look();
        CHECK(client.expect_event("output")["output"].get<std::string>().find("no dashboard at X") !=
              std::string::npos);
        world.look();
        CHECK_FALSE(client.has_event("output"));  // said once
    }
    SUBCASE("as progress where the client shows it") {
        FakeClient& modern = world.add_client("vscode", {{"supportsProgressReporting", true}});
        const std::int64_t request = modern.send("attach");
        world.look();
        const json start = modern.expect_event("progressStart");
        CHECK(start["requestId"] == request);
        CHECK(start["cancellable"] == true);
        modern.expect_success(modern.send("cancel", {{"progressId", start["progressId"]}}));
        modern.expect_event("progressEnd");
        CHECK(modern.expect_response(request)["message"] == "cancelled");
    }
}

TEST_CASE("disconnect releases, suspendDebuggee and restart hold") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    json arguments = {{"restart", false}};
    bool holds = false;
    SUBCASE("plain") {}
    SUBCASE("terminateDebuggee without the opt-in only releases") {
        arguments["terminateDebuggee"] = true;
    }
    SUBCASE("suspendDebuggee") {
        arguments["suspendDebuggee"] = true;
        holds = true;
    }
    SUBCASE("restart") {
        arguments["restart"] = true;
        holds = true;
    }
    const std::int64_t request = client.send("disconnect", arguments);
    world.settle();
    client.expect_success(request);
    client.expect_event("terminated");
    CHECK_FALSE(client.has_event("terminated"));
    CHECK(worker.count("disconnect") == (holds ? 0 : 1));
    CHECK(worker.count("terminate") == 0);
    if (!holds)
        CHECK(worker.last("disconnect")["arguments"]["terminateDebuggee"] == false);
    world.timers.advance(seconds(10));
    CHECK(client.is_closed());
}

TEST_CASE("VS Code's page reload is told from its Stop by the form of disconnect") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    bool holds = false;
    std::string id = "vscode";
    json arguments = {{"restart", false}};
    SUBCASE("reload") {
        holds = true;
    }
    SUBCASE("stop") {
        arguments.update({{"terminateDebuggee", false}, {"suspendDebuggee", false}});
    }
    SUBCASE("the same form from nvim-dap is its ordinary disconnect") {
        id = "neovim";
    }
    FakeClient& client = world.add_client(id);
    world.attach(client);
    client.send("disconnect", arguments);
    world.settle();
    CHECK(worker.count("disconnect") == (holds ? 0 : 1));
}

TEST_CASE("terminate never kills without the opt-in") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("not allowed: it releases") {
        world.attach(client);
        client.expect_success(client.send("terminate"));
        world.settle();
        CHECK(worker.count("terminate") == 0);
        CHECK(worker.count("disconnect") == 1);
        client.expect_event("terminated");
    }
    SUBCASE("allowed: it is passed on") {
        world.attach(client, {{"allowTerminate", true}});
        client.send("terminate");
        world.settle();
        CHECK(worker.count("terminate") == 1);
    }
}

TEST_CASE("disconnect in every state gets its answer") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("initialized") {}
    SUBCASE("waiting") {
        client.send("attach", {{"target", "none"}}), world.look();
    }
    SUBCASE("linking") {
        worker.handshakes = false;
        client.send("attach");
        world.look();
    }
    SUBCASE("configuring") {
        world.begin_attach(client);
    }
    SUBCASE("twice") {
        world.attach(client);
        client.send("disconnect");
    }
    const std::int64_t request = client.send("disconnect");
    world.settle();
    client.expect_success(request);
    CHECK(client.count_events("terminated") <= 1);
    CHECK(worker.count("terminate") == 0);
}

TEST_CASE("a worker that dies ends the session once, and answers nothing twice or never") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    const std::int64_t lost = client.send("evaluate", {{"expression", "1"}});
    worker.handshakes = false;
    SUBCASE("the connection breaks") {
        worker.line.break_off();
    }
    SUBCASE("debugpy says so") {
        worker.event("terminated");
    }
    CHECK(client.expect_error(lost)["id"] == 1023);
    client.expect_event("terminated");
    CHECK_FALSE(client.has_event("terminated"));
    // dape answers `terminated` with `disconnect`; another `terminated` would loop for ever.
    client.expect_success(client.send("disconnect"));
    CHECK_FALSE(client.has_event("terminated"));
    client.line.sent.clear();
    world.timers.advance(seconds(10));
    CHECK(client.is_closed());
}

TEST_CASE("after the end the client gets a moment to say disconnect, not for ever") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    worker.line.break_off();
    client.expect_event("terminated");
    CHECK_FALSE(client.is_closed());
    client.expect_error(client.send("threads"));
    world.timers.advance(seconds(6));
    CHECK(client.is_closed());
}

TEST_CASE("a broken message is reported on the console and the session goes on") {
    World world;
    world.add_worker("w1");
    FakeClient& client = world.add_client();
    for (const char* body :
         {"{", "[]", R"({"seq":1,"type":"request"})", "{\"seq\":1,\"type\":\"request\",\"command\":\"\xff\"}",
          R"({"seq":1,"seq":2,"type":"request","command":"threads"})"}) {
        client.line.hear_bytes(body);
        CHECK(client.expect_event("output")["category"] == "stderr");
    }
    world.attach(client);
}

TEST_CASE("requests of the worker reach the client, and its answer finds the way back") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    worker.line.hear({{"seq", 900}, {"type", "request"}, {"command", "runInTerminal"}, {"arguments", {{"a", 1}}}});
    const json request = client.line.sent.back();
    CHECK(request["command"] == "runInTerminal");
    client.line.hear({{"seq", 77},
                      {"type", "response"},
                      {"request_seq", request["seq"]},
                      {"success", true},
                      {"command", "runInTerminal"}});
    CHECK(worker.line.sent.back()["request_seq"] == 900);
}

TEST_CASE("cancel names the worker's number of the request") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    worker.handshakes = false;
    const std::int64_t slow = client.send("evaluate", {{"expression", "sleep"}});
    world.settle();
    client.expect_success(client.send("cancel", {{"requestId", slow}}));
    world.settle();
    CHECK(worker.last("cancel")["arguments"]["requestId"] == worker.last("evaluate")["seq"]);
}

TEST_CASE("back-pressure: a slow client stops the worker's reading, and the other way round") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    client.line.user->on_congested(true);
    CHECK(worker.line.reading_paused);
    client.line.user->on_congested(false);
    CHECK_FALSE(worker.line.reading_paused);
    worker.line.user->on_congested(true);
    CHECK(client.line.reading_paused);
    client.line.user->on_congested(true);
    client.line.break_off();
    CHECK_FALSE(worker.line.reading_paused);  // held: nobody is slow any more
}

// Many workers as threads of one session.
#include <set>

#include <doctest/doctest.h>

#include "dap/message.hpp"
#include "tests/unit/fake_world.hpp"

using namespace test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Answers what an editor asks at a stop. Every worker counts its ids from one, so that they collide.
void play_debugpy(FakeWorker& worker) {
    worker.script = [&worker](const json& request) {
        const std::string command = request["command"];
        if (command == "threads")
            worker.answer(request,
                          {{"threads", {{{"id", 1}, {"name", "MainThread"}}, {{"id", 2}, {"name", "helper"}}}}});
        else if (command == "stackTrace")
            worker.answer(request, {{"stackFrames",
                                     {{{"id", 1},
                                       {"name", "in " + worker.id},
                                       {"line", 3},
                                       {"moduleId", 1},
                                       {"source", {{"path", "/a.py"}, {"sourceReference", 1}}}}}},
                                    {"totalFrames", 1}});
        else if (command == "scopes")
            worker.answer(request, {{"scopes", {{{"name", "Locals"}, {"variablesReference", 1}}}}});
        else if (command == "variables")
            worker.answer(request, {{"variables", {{{"name", "x"}, {"value", worker.id}, {"variablesReference", 0}}}}});
        else if (command == "pause")
            worker.answer(request);
        else if (command == "source")
            worker.answer(request, {{"content", "text of " + worker.id}});
        else if (command == "evaluate" && request["arguments"].contains("frameId"))
            worker.answer(request, {{"result", worker.id == "w1" ? "1" : "5"}, {"variablesReference", 0}});
        else if (command == "setBreakpoints") {
            json set = json::array();
            for (const json& wanted : request["arguments"]["breakpoints"])
                set.push_back({{"id", set.size()}, {"verified", worker.id == "w2"}, {"line", wanted["line"]}});
            worker.answer(request, {{"breakpoints", set}});
        } else
            return false;
        return true;
    };
}

FakeWorker& add_debugpy(World& world, const std::string& id, const std::string& name = "square") {
    FakeWorker& worker = world.add_worker(id, name);
    play_debugpy(worker);
    return worker;
}

/// A merged session whose first look was made, configured.
FakeClient& attach_merged(World& world, json arguments = json::object()) {
    FakeClient& client = world.add_client();
    arguments["sessions"] = "merged";
    const std::int64_t request = client.send("attach", arguments);
    world.look();
    client.expect_success(request);
    client.expect_event("initialized");
    client.expect_success(client.send("configurationDone"));
    world.settle();
    return client;
}

json ask(World& world, FakeClient& client, const std::string& command, const json& arguments = nullptr) {
    const std::int64_t request = client.send(command, arguments);
    world.settle();
    return client.expect_success(request);
}

/// The client's thread of that name.
std::int64_t thread_named(World& world, FakeClient& client, const std::string& start) {
    const json threads = ask(world, client, "threads")["threads"];
    for (const json& thread : threads) {
        if (thread["name"].get<std::string>().starts_with(start))
            return thread["id"];
    }
    return 0;
}

}  // namespace

TEST_CASE("merged: workers are threads, named after task, pid and node; their ids never collide") {
    World world;
    add_debugpy(world, "w1");
    add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    std::set<std::int64_t> stopped;
    for (int i = 0; i < 2; ++i)
        stopped.insert(client.expect_event("stopped")["threadId"].get<std::int64_t>());
    const json threads = ask(world, client, "threads")["threads"];
    REQUIRE(threads.size() == 4);
    CHECK(threads[0]["name"] == "square · pid 101 @ 10.0.0.1");
    CHECK(threads[1]["name"] == "square · pid 101 @ 10.0.0.1 · helper");
    CHECK(threads[2]["name"] == "cube · pid 102 @ 10.0.0.2");
    CHECK(stopped == std::set<std::int64_t>{threads[0]["id"], threads[2]["id"]});
    std::set<json> seen;
    for (const std::int64_t thread : stopped) {
        const json frame = ask(world, client, "stackTrace", {{"threadId", thread}})["stackFrames"][0];
        const std::string owner = frame["name"];
        const json scope = ask(world, client, "scopes", {{"frameId", frame["id"]}})["scopes"][0];
        const json variable =
            ask(world, client, "variables", {{"variablesReference", scope["variablesReference"]}})["variables"][0];
        CHECK("in " + variable["value"].get<std::string>() == owner);
        CHECK(variable["variablesReference"] == 0);
        const json source = ask(world, client, "source", {{"sourceReference", frame["source"]["sourceReference"]}});
        CHECK(source["content"] == "text of " + owner.substr(3));
        CHECK(seen.insert(frame["id"]).second);
    }
}

TEST_CASE("merged is the default of clients that do not take startDebugging, unless one worker is meant") {
    World world;
    add_debugpy(world, "w1");
    FakeClient& client = world.add_client();
    client.wants_one = false;
    const std::int64_t request = client.send("attach");
    world.look();
    client.expect_success(request);
    client.expect_event("initialized");
    CHECK(world.workers["w1"]->count("configurationDone") == 0);  // no client to take its stop yet
    client.expect_success(client.send("configurationDone"));
    world.settle();
    client.expect_event("stopped");
    CHECK(world.source.waiting_sessions == 1);

    add_debugpy(world, "w2");
    FakeClient& one = world.add_client();
    one.wants_one = false;
    world.attach(one, {{"target", "w2"}});
    one.expect_event("stopped");
}

TEST_CASE("merged stands in for children where no child could connect") {
    dap::BridgeOptions options;
    options.offers_children = false;
    World world(options);
    add_debugpy(world, "w1");
    FakeClient& client = world.add_client("test", {{"supportsStartDebuggingRequest", true}});
    SUBCASE("by default") {
        client.send("attach");
    }
    SUBCASE("asked for") {
        client.send("attach", {{"sessions", "children"}});
    }
    world.look();
    client.expect_success(client.send("configurationDone"));
    world.settle();
    client.expect_event("stopped");
    CHECK(client.count_requests("startDebugging") == 0);
}

TEST_CASE("merged: wait decides whether nothing paused is an error") {
    World world;
    FakeClient& client = world.add_client();
    SUBCASE("no wait: the session opens and waits for workers") {
        FakeClient& open = attach_merged(world);
        CHECK(ask(world, open, "threads")["threads"].empty());
        add_debugpy(world, "w1");
        world.look();
        open.expect_event("stopped");
    }
    SUBCASE("0: at once") {
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 0}});
        world.look();
        CHECK(client.expect_error(request)["id"] == 1012);
        add_debugpy(world, "w1");
        const std::int64_t again = client.send("attach", {{"sessions", "merged"}, {"wait", 0}});
        world.look();
        client.expect_success(again);
    }
    SUBCASE("0: the only one cannot be attached") {
        FakeWorker& dead = add_debugpy(world, "w1");
        dead.connects = false;
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 0}});
        world.look();
        CHECK(client.expect_error(request)["format"].get<std::string>().find("no connection") != std::string::npos);
    }
    SUBCASE("0: one of two cannot be attached") {
        add_debugpy(world, "w1").connects = false;
        add_debugpy(world, "w2");
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 0}});
        world.look();
        client.expect_success(request);
        client.expect_success(client.send("configurationDone"));
        world.settle();
        client.expect_event("stopped");
    }
    SUBCASE("0: the only one is just being let go") {
        add_debugpy(world, "w1");
        FakeClient& former = world.add_client();
        world.begin_attach(former);
        former.send("disconnect");
        world.settle();
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 0}});
        world.look();
        world.timers.advance(seconds(1));
        world.look();
        client.expect_success(request);
    }
    SUBCASE("left while the first joins: it waits on") {
        FakeWorker& slow = add_debugpy(world, "w1");
        slow.handshakes = false;
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 3}});
        world.look();
        client.expect_success(client.send("disconnect"));
        client.expect_error(request);
        world.settle();
        CHECK(slow.count("configurationDone") == 0);
    }
    SUBCASE("some seconds") {
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 3}});
        world.look();
        world.timers.advance(seconds(4));
        client.expect_error(request);
    }
    SUBCASE("cancelled") {
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 3}});
        world.look();
        client.expect_success(client.send("cancel", {{"requestId", request}}));
        client.expect_error(request);
    }
    SUBCASE("left while it waits") {
        const std::int64_t request = client.send("attach", {{"sessions", "merged"}, {"wait", 3}});
        client.expect_success(client.send("disconnect"));
        client.expect_error(request);
        CHECK_FALSE(client.has_event("terminated"));
    }
}

TEST_CASE("merged: stops and resumes are of their worker alone") {
    World world;
    FakeWorker& first = add_debugpy(world, "w1");
    FakeWorker& second = add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    const json one = client.expect_event("stopped");
    const json two = client.expect_event("stopped");
    CHECK(one["allThreadsStopped"] == false);
    CHECK(one["preserveFocusHint"] == false);
    CHECK(two["preserveFocusHint"] == true);  // the user looks at the first already

    const json answer = ask(world, client, "next", {{"threadId", two["threadId"]}});
    CHECK(first.count("next") == 0);
    CHECK(second.count("next") == 1);
    CHECK(client.expect_event("continued") == json{{"threadId", two["threadId"]}, {"allThreadsContinued", false}});
    CHECK(client.count_events("continued") == 0);
    second.stop(1, "step");
    CHECK(client.expect_event("stopped")["preserveFocusHint"] == false);  // what the user waits for

    CHECK(ask(world, client, "continue", {{"threadId", one["threadId"]}})["allThreadsContinued"] == false);
    CHECK(second.count("continue") == 0);
    ask(world, client, "pause", {{"threadId", one["threadId"]}});
    CHECK(first.count("pause") == 1);
    CHECK(second.count("pause") == 0);
    SUBCASE("pause without a thread: every worker that runs") {
        ask(world, client, "continue", {{"threadId", two["threadId"]}});
        ask(world, client, "pause", {{"threadId", 0}});
        CHECK(first.count("pause") == 2);
        CHECK(second.count("pause") == 1);
    }
}

TEST_CASE("merged: a sibling that stands still gets a stop of its own, one that does not gets none") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    worker.stops = false;
    FakeClient& client = attach_merged(world);
    worker.event("rayDapSuspended", {{"threadId", 1}});
    CHECK_FALSE(client.has_event("stopped"));
    worker.stop(1);
    const json first = client.expect_event("stopped");
    CHECK(first["reason"] == "breakpoint");
    CHECK(client.count_events("stopped") == 0);
    worker.event("rayDapSuspended", {{"threadId", 2}});
    const json sibling = client.expect_event("stopped");
    CHECK(sibling["threadId"] != first["threadId"]);
    CHECK(sibling["preserveFocusHint"] == true);
    CHECK_FALSE(client.has_event("rayDapSuspended"));
    SUBCASE("it runs on alone") {
        worker.event("rayDapResumed", {{"threadId", 2}});
        CHECK(client.expect_event("continued")["threadId"] == sibling["threadId"]);
        worker.event("rayDapResumed", {{"threadId", 1}});
        CHECK(client.count_events("continued") == 0);  // `continued` tells of that one
    }
    SUBCASE("all of them run on") {
        ask(world, client, "continue", {{"threadId", first["threadId"]}});
        CHECK(client.count_events("continued") == 2);
    }
    SUBCASE("the next session hears of both") {
        client.line.break_off();
        FakeClient& next = attach_merged(world);
        CHECK(next.count_events("stopped") == 2);
    }
}

TEST_CASE("merged: frames and variables of a worker that ran on are unknown, not another's") {
    World world;
    add_debugpy(world, "w1");
    add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    const std::int64_t thread = thread_named(world, client, "square");
    const json frame = ask(world, client, "stackTrace", {{"threadId", thread}})["stackFrames"][0];
    ask(world, client, "continue", {{"threadId", thread}});
    const std::int64_t request = client.send("scopes", {{"frameId", frame["id"]}});
    CHECK(client.expect_error(request)["format"].get<std::string>().find("ran on") != std::string::npos);
    client.expect_error(client.send("stackTrace", {{"threadId", 4711}}));
}

TEST_CASE("merged: breakpoints reach all workers, those that join later too; verified is merged") {
    World world;
    FakeWorker& first = add_debugpy(world, "w1");
    FakeClient& client = world.add_client();
    client.send("attach", {{"sessions", "merged"}});
    world.look();
    const json arguments = {{"source", {{"path", "/a.py"}, {"sourceReference", 7}}}, {"breakpoints", {{{"line", 3}}}}};
    const json set = ask(world, client, "setBreakpoints", arguments)["breakpoints"];
    REQUIRE(set.size() == 1);
    CHECK(set[0]["verified"] == false);
    CHECK(set[0]["line"] == 3);
    ask(world, client, "setFunctionBreakpoints", {{"breakpoints", {{{"name", "f"}}}}});
    ask(world, client, "setExceptionBreakpoints", {{"filters", {"raised"}}});
    ask(world, client, "configurationDone");
    CHECK(first.count("setBreakpoints") == 1);
    CHECK_FALSE(first.last("setBreakpoints")["arguments"]["source"].contains("sourceReference"));
    CHECK(first.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"raised", "uncaught"});

    FakeWorker& second = add_debugpy(world, "w2");
    world.look();
    CHECK(second.count("setBreakpoints") == 1);
    CHECK(second.count("setFunctionBreakpoints") == 1);
    CHECK(second.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"raised", "uncaught"});
    json changed = client.expect_event("breakpoint");
    CHECK(changed["breakpoint"]["id"] == set[0]["id"]);
    CHECK(changed["breakpoint"]["verified"] == true);
    CHECK(client.count_events("breakpoint") == 0);

    second.event("breakpoint", {{"reason", "changed"}, {"breakpoint", {{"id", 0}, {"verified", true}, {"line", 5}}}});
    changed = client.expect_event("breakpoint");
    CHECK(changed["breakpoint"]["line"] == 5);
    CHECK(changed["breakpoint"]["id"] == set[0]["id"]);

    second.line.break_off();
    CHECK(client.expect_event("breakpoint")["breakpoint"]["verified"] == false);
}

TEST_CASE("merged: of two requests in flight for one file, each gets an answer of its own length") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w2");
    FakeClient& client = attach_merged(world);
    const auto set = [&client](const json& lines) {
        json breakpoints = json::array();
        for (const json& line : lines)
            breakpoints.push_back({{"line", line}});
        return client.send("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", breakpoints}});
    };
    const std::int64_t two = set({3, 5});
    const std::int64_t one = set({5});
    world.settle();
    CHECK(client.expect_success(two)["breakpoints"].size() == 2);
    const json answer = client.expect_success(one)["breakpoints"];
    REQUIRE(answer.size() == 1);
    CHECK(answer[0]["verified"] == true);
    CHECK(worker.count("setBreakpoints") == 2);
    CHECK(client.count_events("breakpoint") == 0);
}

TEST_CASE("merged: a source without a path is known to no worker, and the answer names it as the client did") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w2");
    FakeClient& client = attach_merged(world);
    const json source = {{"name", "a.py"}, {"sourceReference", 1}};
    const json answer =
        ask(world, client, "setBreakpoints", {{"source", source}, {"breakpoints", {{{"line", 3}}}}})["breakpoints"];
    CHECK(answer[0]["verified"] == false);
    CHECK(answer[0]["source"] == source);
    CHECK(worker.count("setBreakpoints") == 0);
}

TEST_CASE("merged: two questions for threads at once get the same answer") {
    World world;
    add_debugpy(world, "w1");
    FakeClient& client = attach_merged(world);
    const std::int64_t first = client.send("threads");
    const std::int64_t second = client.send("threads");
    world.settle();
    CHECK(client.expect_success(first) == client.expect_success(second));
}

TEST_CASE("merged: taking over a worker that is still joining leaves room for others") {
    World world;
    for (int i = 1; i <= 70; ++i)
        add_debugpy(world, "w" + std::to_string(i)).handshakes = false;
    FakeClient& client = attach_merged(world);
    for (int i = 1; i <= 64; ++i) {
        FakeClient& other = world.add_client();
        const std::string id = "w" + std::to_string(i);
        other.send("attach", {{"target", id}, {"takeOver", true}});
        world.look();
    }
    for (int i = 65; i <= 70; ++i)
        CHECK(world.workers["w" + std::to_string(i)]->count("attach") == 1);
    CHECK_FALSE(client.is_closed());
}

TEST_CASE("merged: a subprocess that comes when the session ends is let go") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    FakeWorker& subprocess = world.add_subprocess("w1/900", "w1");
    FakeClient& client = attach_merged(world);
    worker.leaves = false;
    client.send("disconnect");
    worker.event("debugpyAttach", {{"subProcessId", 900}});
    world.settle();
    CHECK(subprocess.count("disconnect") == 1);
}

TEST_CASE("merged: a worker that is let go in the middle of its setup stays let go") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    json setup;
    worker.script = [&setup](const json& request) {
        if (request["command"] != "evaluate")
            return false;
        setup = request;
        return true;
    };
    FakeClient& client = attach_merged(world);
    worker.leaves = false;
    const std::int64_t request = client.send("disconnect");
    world.settle();
    worker.answer(setup);
    world.settle();
    CHECK(worker.count("setExceptionBreakpoints") == 0);
    CHECK(worker.count("configurationDone") == 0);
    world.timers.advance(seconds(10));
    world.settle();
    client.expect_success(request);
}

TEST_CASE("a session that attaches again in another way leaves nothing of the first attempt") {
    World world;
    FakeClient& client = world.add_client();
    const std::int64_t failed = client.send("attach", {{"wait", 0}});
    world.look();
    client.expect_error(failed);
    const std::int64_t merged = client.send("attach", {{"sessions", "merged"}});
    world.look();
    client.expect_success(merged);
    FakeClient& waiting = world.add_client();
    waiting.send("attach");
    world.look();
    client.line.break_off();
    world.settle();
    add_debugpy(world, "w1");
    world.look();
    waiting.expect_event("initialized");
}

TEST_CASE("merged: a frozen worker does not keep the others' answers") {
    World world;
    FakeWorker& frozen = add_debugpy(world, "w1");
    add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    frozen.script = [](const json&) { return true; };
    const std::int64_t threads = client.send("threads");
    const std::int64_t breakpoints =
        client.send("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", {{{"line", 3}}}}});
    world.settle();
    world.timers.advance(seconds(3));
    CHECK(client.expect_success(threads)["threads"].size() >= 2);
    CHECK(client.expect_success(breakpoints)["breakpoints"][0]["verified"] == true);
}

TEST_CASE("merged: a worker that ends takes its threads along and leaves the others") {
    World world;
    FakeWorker& first = add_debugpy(world, "w1");
    add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    const std::int64_t thread = thread_named(world, client, "square");
    first.script = nullptr;
    const std::int64_t lost = client.send("evaluate", {{"expression", "1"}});
    const std::int64_t pending = client.send("stackTrace", {{"threadId", thread}});
    first.line.break_off();
    client.expect_error(pending);
    world.settle();
    client.expect_response(lost);
    CHECK(client.expect_event("thread")["reason"] == "started");
    while (client.expect_event("thread") != json{{"reason", "exited"}, {"threadId", thread}})
        ;
    CHECK_FALSE(client.has_event("terminated"));
    CHECK(ask(world, client, "threads")["threads"].size() == 2);
}

TEST_CASE("merged: a worker that cannot be attached is told of once, and tried again when it pauses again") {
    World world;
    FakeWorker& dead = add_debugpy(world, "w1");
    dead.connects = false;
    FakeClient& client = attach_merged(world);
    client.expect_event("output");  // watching
    CHECK(client.expect_event("output")["category"] == "important");
    for (int i = 0; i < 3; ++i) {
        world.timers.advance(seconds(1));
        world.look();
    }
    CHECK(client.count_events("output") == 0);
    dead.connects = true;
    world.pause_again("w1");
    world.look();
    client.expect_event("stopped");
}

TEST_CASE("merged: the end of the session") {
    World world;
    FakeWorker& first = add_debugpy(world, "w1");
    FakeWorker& second = add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    SUBCASE("disconnect releases all") {
        const std::int64_t request = client.send("disconnect");
        world.settle();
        client.expect_success(request);
        client.expect_event("terminated");
        CHECK(first.count("disconnect") == 1);
        CHECK(second.count("disconnect") == 1);
        CHECK(first.count("terminate") == 0);
    }
    SUBCASE("suspendDebuggee holds all, and the next session finds them stopped") {
        const std::int64_t request = client.send("disconnect", {{"suspendDebuggee", true}});
        world.settle();
        client.expect_success(request);
        client.expect_event("terminated");
        CHECK(first.count("disconnect") == 0);
        FakeClient& next = attach_merged(world);
        next.expect_event("stopped");
        next.expect_event("stopped");
        CHECK(first.count("attach") == 1);
    }
    SUBCASE("a lost client holds all") {
        client.line.break_off();
        world.settle();
        for (const json& row : world.bridge->targets())
            CHECK(row["state"] == "held");
    }
    SUBCASE("terminate is not passed on") {
        client.expect_success(client.send("terminate"));
        world.settle();
        client.expect_event("terminated");
        CHECK(first.count("terminate") == 0);
        CHECK(first.count("disconnect") == 1);
    }
    SUBCASE("terminate, then disconnect before all is over") {
        client.expect_success(client.send("terminate"));
        client.send("terminate");
        const std::int64_t request = client.send("disconnect");
        world.settle();
        client.expect_success(request);
        CHECK(client.count_events("terminated") == 1);
        client.expect_event("terminated");
        world.timers.advance(seconds(10));
        for (const json& message : client.line.sent)
            CHECK(message.value("command", "") != "disconnect");
    }
    SUBCASE("the bridge's end") {
        bool done = false;
        world.bridge->shut_down([&done] { done = true; });
        world.settle();
        world.timers.advance(seconds(5));
        client.expect_event("terminated");
        CHECK(done);
        CHECK(first.count("disconnect") == 1);
    }
    CHECK(client.count_events("terminated") == 0);
}

TEST_CASE("merged: terminate is passed on where it is allowed") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    FakeClient& client = attach_merged(world, {{"allowTerminate", true}});
    client.expect_success(client.send("terminate"));
    world.settle();
    client.expect_event("terminated");
    CHECK(worker.count("terminate") == 1);
}

TEST_CASE("merged: onDisconnect resume lets all go") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    attach_merged(world, {{"onDisconnect", "resume"}}).line.break_off();
    world.settle();
    CHECK(worker.count("disconnect") == 1);
}

TEST_CASE("merged: another session takes one worker over; the rest stays") {
    World world;
    add_debugpy(world, "w1");
    add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    FakeClient& other = world.add_client();
    const std::int64_t refused = other.send("attach", {{"target", "w1"}});
    world.look();
    other.expect_error(refused);
    world.attach(other, {{"target", "w1"}, {"takeOver", true}});
    other.expect_event("stopped");
    CHECK(ask(world, client, "threads")["threads"].size() == 2);
    CHECK_FALSE(client.has_event("terminated"));
}

TEST_CASE("merged: subprocesses join as threads") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    FakeWorker& subprocess = world.add_subprocess("w1/900", "w1");
    play_debugpy(subprocess);
    FakeClient& client = attach_merged(world);
    client.expect_event("stopped");
    worker.event("debugpyAttach", {{"subProcessId", 900}, {"connect", {{"host", "127.0.0.1"}, {"port", 1}}}});
    world.settle();
    CHECK_FALSE(client.has_event("debugpyAttach"));
    CHECK(subprocess.last("attach")["arguments"]["subProcessId"] == 900);
    CHECK(thread_named(world, client, "square subprocess · pid 900") != 0);
}

TEST_CASE("merged: a request without ids goes to the worker the user looks at") {
    World world;
    FakeWorker& first = add_debugpy(world, "w1");
    FakeWorker& second = add_debugpy(world, "w2", "cube");
    FakeClient& client = attach_merged(world);
    ask(world, client, "evaluate", {{"expression", "1"}});
    CHECK(first.last("evaluate")["arguments"]["expression"] == "1");
    ask(world, client, "stackTrace", {{"threadId", thread_named(world, client, "cube")}});
    ask(world, client, "evaluate", {{"expression", "2"}});
    CHECK(second.last("evaluate")["arguments"]["expression"] == "2");
}

TEST_CASE("merged: @all asks every worker that stands still") {
    World world;
    for (int i = 1; i <= 4; ++i)
        add_debugpy(world, "w" + std::to_string(i));
    FakeClient& client = attach_merged(world);
    const std::string text = ask(world, client, "evaluate", {{"expression", "@all x"}, {"context", "repl"}})["result"];
    CHECK(text.find("4 stopped workers") != std::string::npos);
    CHECK(text.find("3 = 5") < text.find("1 = 1"));
    CHECK(text.find("min 1 (square · pid 101 @ 10.0.0.1)") != std::string::npos);
    CHECK(text.find("mean 4") != std::string::npos);
    SUBCASE("one that does not answer is named") {
        world.workers["w2"]->script = [](const json&) { return true; };
        const std::int64_t request = client.send("evaluate", {{"expression", "@all x"}});
        world.settle();
        world.timers.advance(seconds(11));
        CHECK(client.expect_success(request)["result"].get<std::string>().find("no answer") != std::string::npos);
    }
    SUBCASE("it can be cancelled") {
        world.workers["w2"]->script = [](const json&) { return true; };
        const std::int64_t request = client.send("evaluate", {{"expression", "@all x"}});
        world.settle();
        client.expect_success(client.send("cancel", {{"requestId", request}}));
        world.settle();
        CHECK(world.workers["w2"]->count("cancel") == 1);
    }
}

TEST_CASE("merged: cancel reaches the worker by its own number") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    FakeClient& client = attach_merged(world);
    worker.script = [](const json&) { return true; };
    const std::int64_t request = client.send("evaluate", {{"expression", "slow()"}});
    world.settle();
    client.expect_success(client.send("cancel", {{"requestId", request}}));
    world.settle();
    CHECK(worker.last("cancel")["arguments"]["requestId"] == worker.last("evaluate")["seq"]);
}

TEST_CASE("merged: a client that takes nothing is dropped, and its workers are held") {
    World world;
    FakeWorker& worker = add_debugpy(world, "w1");
    FakeClient& client = attach_merged(world);
    client.line.user->on_congested(true);
    CHECK(worker.line.reading_paused);
    SUBCASE("it takes again in time") {
        client.line.user->on_congested(false);
        CHECK_FALSE(worker.line.reading_paused);
        world.timers.advance(seconds(60));
        CHECK_FALSE(client.is_closed());
    }
    SUBCASE("never") {
        world.timers.advance(seconds(11));
        CHECK(client.is_closed());
        CHECK(world.bridge->targets()[0]["state"] == "held");
        CHECK(worker.count("disconnect") == 0);
    }
}

TEST_CASE("merged: many workers join, some at a time") {
    World world;
    for (int i = 1; i <= 200; ++i)
        add_debugpy(world, "w" + std::to_string(i));
    FakeClient& client = attach_merged(world);
    CHECK(client.count_events("stopped") == 200);
    CHECK(ask(world, client, "threads")["threads"].size() == 400);
}

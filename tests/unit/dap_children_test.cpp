// Root and child sessions, take-over, subprocesses.
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/fake_world.hpp"

using namespace test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const json takes_children = {{"supportsStartDebuggingRequest", true}};

/// A root session whose first look was made.
FakeClient& add_root(World& world, json arguments = json::object(), const std::string& client_id = "test") {
    FakeClient& root = world.add_client(client_id, takes_children);
    const std::int64_t request = root.send("attach", arguments);
    root.expect_success(request);
    root.expect_event("initialized");
    root.expect_success(root.send("configurationDone"));
    world.look();
    return root;
}

/// The configuration of the next announced child.
json next_child(FakeClient& root, bool reply = true) {
    const json request = root.expect_request("startDebugging");
    if (reply)
        root.reply(request);
    CHECK(request["arguments"]["request"] == "attach");
    return request["arguments"]["configuration"];
}

FakeClient& open_child(World& world, const json& configuration) {
    FakeClient& child = world.add_client("test", takes_children);
    const std::int64_t request = child.send("attach", configuration);
    world.settle();
    child.expect_event("initialized");
    child.send("configurationDone");
    world.settle();
    child.expect_success(request);
    child.expect_event("stopped");
    return child;
}

void rest(World& world) {
    world.timers.advance(seconds(1));
    world.settle();
}

}  // namespace

TEST_CASE("a root announces each paused worker, once, and attaches none before its child is there") {
    World world;
    world.add_worker("w1");
    world.add_worker("w2", "cube");
    FakeClient& root = add_root(world, {{"type", "debugpy"}, {"connect", {{"host", "h"}, {"port", 1}}}});
    const json first = next_child(root);
    // nvim-dap crashes without `type` or `name`; the Python Debugger extension finds the bridge through `connect`.
    CHECK(first["type"] == "debugpy");
    CHECK(first["name"] == "square · pid 101 @ 10.0.0.1");
    CHECK(first["request"] == "attach");
    CHECK(first["connect"] == json{{"host", "h"}, {"port", 1}});
    CHECK_FALSE(first.contains("host"));
    CHECK(first["child"].get<std::string>().size() == 32);
    CHECK(next_child(root)["name"] == "cube · pid 102 @ 10.0.0.2");
    world.look();
    CHECK(root.count_requests("startDebugging") == 0);
    CHECK(world.workers["w1"]->commands.empty());

    FakeClient& child = open_child(world, first);
    CHECK(world.workers["w1"]->count("attach") == 1);
    CHECK(world.workers["w2"]->count("attach") == 0);
    const std::int64_t next = child.send("next", {{"threadId", 1}});
    world.settle();
    child.expect_success(next);
}

TEST_CASE("a root is the default of clients that take children, unless one worker is meant") {
    World world;
    world.add_worker("w1");
    FakeClient& one = world.add_client("test", takes_children);
    world.attach(one, {{"target", "w1"}});
    CHECK(one.count_requests("startDebugging") == 0);
    FakeClient& plain = world.add_client("test", takes_children);
    plain.send("attach", {{"sessions", "single"}});
    world.look();
    CHECK_FALSE(plain.has_event("initialized"));
    FakeClient& simple = world.add_client();
    simple.send("attach", {{"sessions", "children"}});
    CHECK(simple.has_event("initialized"));
}

TEST_CASE("a root answers at once: no threads, breakpoints for later, the rest with a reason") {
    World world;
    FakeClient& root = add_root(world);
    CHECK(root.expect_success(root.send("threads"))["threads"].empty());
    const json answer = root.expect_success(root.send(
        "setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", {{{"line", 3}}, {{"line", 5}}}}}));
    CHECK(answer["breakpoints"][1]["line"] == 5);
    CHECK(answer["breakpoints"][1]["verified"] == false);
    root.expect_success(root.send("setExceptionBreakpoints", {{"filters", {"raised"}}}));
    root.expect_error(root.send("evaluate", {{"expression", "1"}}));

    // They reach every child that joins.
    FakeWorker& worker = world.add_worker("w1");
    world.look();
    open_child(world, next_child(root));
    CHECK(worker.last("setBreakpoints")["arguments"]["breakpoints"].size() == 2);
    CHECK(worker.last("setExceptionBreakpoints")["arguments"]["filters"] == json{"raised", "uncaught"});
}

TEST_CASE("a root announces nothing before configurationDone: its breakpoints are still to come") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& root = world.add_client("test", takes_children);
    root.send("attach");
    root.expect_event("initialized");
    world.look();
    CHECK(root.count_requests("startDebugging") == 0);
    root.send("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", {{{"line", 3}}}}});
    root.expect_success(root.send("configurationDone"));
    open_child(world, next_child(root));
    CHECK(worker.count("setBreakpoints") == 1);
}

TEST_CASE("children inherit the root's arguments") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& root = add_root(world, {{"justMyCode", false}, {"localRoot", "/mine"}, {"job", "j"}});
    open_child(world, next_child(root));
    CHECK(worker.last("attach")["arguments"]["justMyCode"] == false);
    const std::string setup = worker.last("evaluate")["arguments"]["expression"];
    CHECK(setup.find("/mine") != std::string::npos);
    CHECK(setup.find("\"job\"") == std::string::npos);
}

TEST_CASE("replies to startDebugging: late, twice, never, after the child, refused") {
    World world;
    world.add_worker("w1");
    FakeClient& root = add_root(world);
    const json request = root.expect_request("startDebugging");
    const json configuration = request["arguments"]["configuration"];
    SUBCASE("never") {
        open_child(world, configuration);
    }
    SUBCASE("twice") {
        root.reply(request);
        root.reply(request);
        open_child(world, configuration);
    }
    SUBCASE("only after the child") {
        open_child(world, configuration);
        root.reply(request);
    }
    SUBCASE("refused: the id is void") {
        root.reply(request, false);
        FakeClient& child = world.add_client();
        CHECK(child.expect_error(child.send("attach", configuration))["id"] == 1010);
    }
}

TEST_CASE("an id opens one child, once, for a minute") {
    World world;
    world.add_worker("w1");
    FakeClient& root = add_root(world);
    const json configuration = next_child(root);
    SUBCASE("used") {
        open_child(world, configuration);
        FakeClient& second = world.add_client();
        CHECK(second.expect_error(second.send("attach", configuration))["id"] == 1010);
    }
    SUBCASE("expired, and announced again on request") {
        world.timers.advance(seconds(61));
        FakeClient& late = world.add_client();
        late.expect_error(late.send("attach", configuration));
        world.look();
        CHECK(root.count_requests("startDebugging") == 0);
        root.expect_success(root.send("rayAnnounce"));
        world.look();
        open_child(world, next_child(root));
    }
    SUBCASE("guessed") {
        FakeClient& guesser = world.add_client();
        guesser.expect_error(guesser.send("attach", {{"child", "00000000000000000000000000000000"}}));
    }
}

TEST_CASE("a child's end leaves the root; a worker that pauses again is announced again") {
    World world;
    world.add_worker("w1");
    FakeClient& root = add_root(world);
    FakeClient& child = open_child(world, next_child(root));
    child.send("disconnect");
    world.settle();
    child.expect_event("terminated");
    CHECK_FALSE(root.has_event("terminated"));
    world.look();
    CHECK(root.count_requests("startDebugging") == 0);  // the link is not gone yet
    rest(world);
    world.pause_again("w1");
    world.look();
    open_child(world, next_child(root));
}

TEST_CASE("new pauses keep arriving while the root lives, of others too") {
    World world;
    FakeClient& root = add_root(world);
    CHECK(world.source.waiting_sessions == 1);
    for (int i = 1; i <= 20; ++i) {
        world.add_worker("w" + std::to_string(i));
        world.look();
        open_child(world, next_child(root));
    }
    root.line.break_off();
    CHECK(world.source.waiting_sessions == 0);
}

TEST_CASE("the root's explicit disconnect releases its children's workers, held ones too") {
    World world;
    FakeWorker& open = world.add_worker("w1");
    FakeWorker& held = world.add_worker("w2");
    FakeWorker& foreign = world.add_worker("w3", "cube");
    world.attach(world.add_client(), {{"target", "w3"}});
    world.clients.back().line.break_off();
    FakeClient& root = add_root(world, {{"target", "square"}});
    std::vector<FakeClient*> children;
    for (int i = 0; i < 2; ++i)
        children.push_back(&open_child(world, next_child(root)));
    // nvim's `:qa` tells only the root; the child just sees the end of its connection.
    children[1]->line.break_off();
    json arguments = json::object();
    bool holds = false;
    SUBCASE("release") {}
    SUBCASE("suspend") {
        arguments["suspendDebuggee"] = true;
        holds = true;
    }
    const std::int64_t request = root.send("disconnect", arguments);
    world.settle();
    root.expect_success(request);
    root.expect_event("terminated");
    children[0]->expect_event("terminated");
    CHECK(open.count("disconnect") == (holds ? 0 : 1));
    CHECK(held.count("disconnect") == (holds ? 0 : 1));
    CHECK(foreign.count("disconnect") == 0);
}

TEST_CASE("a root that vanishes takes nothing along; the next one announces everything again") {
    World world;
    for (int i = 1; i <= 3; ++i)
        world.add_worker("w" + std::to_string(i));
    FakeClient& root = add_root(world);
    std::vector<FakeClient*> children;
    for (int i = 0; i < 2; ++i)
        children.push_back(&open_child(world, next_child(root)));
    next_child(root);
    for (FakeClient* child : children)
        child->line.break_off();
    root.line.break_off();
    world.unlist("w1");
    world.unlist("w2");
    FakeClient& again = add_root(world);
    std::set<std::string> names;
    for (int i = 0; i < 3; ++i) {
        const json configuration = next_child(again);
        names.insert(configuration["name"]);
        open_child(world, configuration);
    }
    CHECK(names.size() == 3);
    for (const auto& [id, worker] : world.workers)
        CHECK(worker->count("disconnect") == 0);
}

TEST_CASE("VS Code's page reload holds the children of its root") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& root = add_root(world, json::object(), "vscode");
    open_child(world, next_child(root));
    root.send("disconnect", {{"restart", false}});
    world.settle();
    CHECK(worker.count("disconnect") == 0);
}

TEST_CASE("a worker held and suspended by its child is not announced again by the same root, until it stops again") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& root = add_root(world);
    FakeClient& child = open_child(world, next_child(root));
    world.unlist("w1");
    child.send("continue", {{"threadId", 1}});
    world.settle();
    child.send("disconnect", {{"suspendDebuggee", true}});
    world.look();
    CHECK(root.count_requests("startDebugging") == 0);
    worker.stop();
    world.look();
    open_child(world, next_child(root));
}

TEST_CASE("a worker is announced with its name, or after a while without") {
    World world;
    world.add_worker("w1");
    world.source.now.workers[0].named = false;
    FakeClient& root = add_root(world);
    CHECK(root.count_requests("startDebugging") == 0);
    SUBCASE("named") {
        world.source.now.workers[0].named = true;
        world.look();
    }
    SUBCASE("never named") {
        for (int i = 0; i < 8; ++i)
            world.look();
    }
    next_child(root);
}

TEST_CASE("the root hears of trouble with the dashboard, once") {
    World world;
    FakeClient& root = add_root(world);
    root.expect_event("output");
    world.source.now.trouble = dap::Error{dap::ErrorCode::dashboard_unreachable, "no dashboard at X"};
    world.look();
    world.look();
    CHECK(root.count_events("output") == 1);
}

TEST_CASE("takeOver gives a worker to the second client and ends the first's session") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first);
    worker.handshakes = false;
    const std::int64_t pending = first.send("evaluate", {{"expression", "slow"}});
    world.settle();
    worker.handshakes = true;
    FakeClient& second = world.add_client("vscode");
    const std::int64_t refused = second.send("attach", {{"target", "w1"}});
    world.look();
    CHECK(second.expect_error(refused)["format"].get<std::string>().find("takeOver") != std::string::npos);
    world.attach(second, {{"target", "w1"}, {"takeOver", true}});
    first.expect_error(pending);
    first.expect_event("terminated");
    CHECK(second.expect_event("stopped")["threadId"] == 1);
    CHECK(worker.count("disconnect") == 0);
    CHECK(worker.count("attach") == 1);
}

TEST_CASE("takeOver gives the worker to who asked for it, not to one who waits for any") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first);
    world.unlist("w1");
    FakeClient& waiting = world.add_client();
    waiting.send("attach");
    world.look();
    FakeClient& second = world.add_client();
    world.attach(second, {{"target", "w1"}, {"takeOver", true}});
    world.look();
    CHECK_FALSE(waiting.has_event("initialized"));
    const std::int64_t request = second.send("marked");
    world.settle();
    worker.answer(worker.last("marked"));
    second.expect_success(request);
}

TEST_CASE("onDisconnect resume lets the worker go, whoever waits for one") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first, {{"onDisconnect", "resume"}});
    world.unlist("w1");
    FakeClient& waiting = world.add_client();
    waiting.send("attach");
    world.look();
    first.line.break_off();
    world.settle();
    CHECK(worker.count("disconnect") == 1);
    CHECK_FALSE(waiting.has_event("initialized"));
}

TEST_CASE("takeOver of a worker that is not attached yet waits for its rest") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    const std::int64_t request = first.send("attach", {{"target", "w1"}});
    world.look();
    FakeClient& second = world.add_client();
    second.send("attach", {{"target", "w1"}, {"takeOver", true}});
    world.look();
    first.expect_error(request);
    rest(world);
    world.look();
    second.expect_event("initialized");
    CHECK(worker.count("attach") == 2);
}

TEST_CASE("subprocesses become children, or are let go") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeWorker& subprocess = world.add_subprocess("w1/900", "w1");
    // debugpy echoes the attach arguments, and names its own address.
    const json event = {{"subProcessId", 900}, {"connect", {{"host", "127.0.0.1"}, {"port", 1}}}, {"justMyCode", true}};
    SUBCASE("a child session where the client takes one") {
        FakeClient& root = add_root(world);
        FakeClient& child = open_child(world, next_child(root));
        worker.event("debugpyAttach", event);
        CHECK_FALSE(child.has_event("debugpyAttach"));
        const json configuration = next_child(child);
        CHECK(configuration["name"].get<std::string>().find("pid 900") != std::string::npos);
        open_child(world, configuration);
        CHECK(subprocess.last("attach")["arguments"]["subProcessId"] == 900);
        CHECK_FALSE(subprocess.last("attach")["arguments"].contains("connect"));
    }
    SUBCASE("let go where the client takes none") {
        FakeClient& client = world.add_client();
        world.attach(client);
        worker.event("debugpyAttach", event);
        world.settle();
        CHECK_FALSE(client.has_event("debugpyAttach"));
        CHECK(subprocess.commands ==
              std::vector<std::string>{"initialize", "attach", "configurationDone", "disconnect"});
        CHECK(subprocess.last("attach")["arguments"]["subProcessId"] == 900);
    }
    SUBCASE("let go where nobody is there") {
        FakeClient& client = world.add_client();
        world.attach(client);
        client.line.break_off();
        worker.event("debugpyAttach", event);
        world.settle();
        CHECK(subprocess.count("disconnect") == 1);
    }
    SUBCASE("let go where the child is not opened, or its parent goes") {
        FakeClient& client = world.add_client("test", takes_children);
        world.attach(client, {{"sessions", "single"}});
        worker.event("debugpyAttach", event);
        const json request = client.expect_request("startDebugging");
        SUBCASE("expired") {
            world.timers.advance(seconds(61));
        }
        SUBCASE("refused") {
            client.reply(request, false);
        }
        SUBCASE("parent gone") {
            client.line.break_off();
        }
        world.settle();
        CHECK(subprocess.count("disconnect") == 1);
        CHECK(worker.count("disconnect") == 0);
    }
}

TEST_CASE("clients that misbehave in the middle of children leave nothing behind") {
    World world;
    for (int i = 0; i < 8; ++i)
        world.add_worker("w" + std::to_string(i));
    for (int round = 0; round < 30; ++round) {
        FakeClient& root = add_root(world);
        std::vector<json> configurations;
        while (root.count_requests("startDebugging") > 0)
            configurations.push_back(next_child(root, round % 3 != 0));
        for (std::size_t i = 0; i < configurations.size(); ++i) {
            FakeClient& child = world.add_client("test", takes_children);
            child.send("attach", configurations[i]);
            if (i % 4 == 1)
                world.settle();
            if (i % 4 == 2) {
                world.settle();
                child.send("configurationDone");
            }
            if (i % 4 == 3) {
                world.settle();
                child.send("configurationDone");
                world.settle();
                child.send("evaluate", {{"expression", "1"}});
            }
            child.line.break_off();
        }
        root.line.break_off();
        rest(world);
        CHECK(world.source.waiting_sessions == 0);
    }
    for (const json& row : world.bridge->targets())
        CHECK((row["state"] == "held" || row["state"] == "waiting"));
    for (const auto& [id, worker] : world.workers) {
        CHECK(worker->count("terminate") == 0);
        CHECK(worker->count("configurationDone") <= 1);
    }
}

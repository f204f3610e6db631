// Who gets which worker, and what stays when a client or a worker goes.
#include <random>
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/fake_world.hpp"

using namespace test;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::string state_of(const World& world, const std::string& id) {
    for (const json& row : world.bridge->targets()) {
        if (row["target"] == id)
            return row["state"];
    }
    return "none";
}

/// Long enough for a link that ended to be gone.
void rest(World& world) {
    world.timers.advance(seconds(1));
    world.settle();
}

}  // namespace

TEST_CASE("losing a client never resumes a worker; the next one finds it stopped") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient* client = &world.add_client();
    world.attach(*client);
    world.unlist("w1");
    CHECK(state_of(world, "w1") == "attached");
    for (int round = 0; round < 10; ++round) {
        client->line.break_off();
        world.settle();
        CHECK(state_of(world, "w1") == "held");
        client = &world.add_client();
        world.attach(*client);
        client->expect_event("process");
        CHECK(client->expect_event("stopped")["threadId"] == 1);
        CHECK(worker.count("disconnect") == 0);
        CHECK(worker.count("attach") == 1);
        CHECK(worker.count("configurationDone") == 1);
    }
    CHECK(worker.last("evaluate")["arguments"]["expression"].get<std::string>().starts_with("again "));
}

TEST_CASE("a held worker's next session starts with a clean sheet") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.begin_attach(first);
    first.send("setBreakpoints", {{"source", {{"path", "/a.py"}}}, {"breakpoints", {{{"line", 3}}}}});
    first.send("setBreakpoints", {{"source", {{"path", "/b.py"}}}, {"breakpoints", {{{"line", 4}}}}});
    first.send("setBreakpoints", {{"source", {{"path", "/b.py"}}}, {"breakpoints", json::array()}});
    first.send("setFunctionBreakpoints", {{"breakpoints", {{{"name", "f"}}}}});
    first.send("configurationDone");
    world.settle();
    const std::int64_t unanswered = first.send("evaluate", {{"expression", "1"}});
    first.line.break_off();
    const auto before = worker.requests.size();
    world.settle();

    FakeClient& second = world.add_client();
    world.begin_attach(second);
    std::set<std::string> cleared;
    for (auto i = before; i < worker.requests.size(); ++i) {
        const json& request = worker.requests[i];
        if (request["command"] == "setBreakpoints" && request["arguments"]["breakpoints"].empty())
            cleared.insert(request["arguments"]["source"]["path"]);
    }
    CHECK(cleared == std::set<std::string>{"/a.py"});
    CHECK(worker.last("setFunctionBreakpoints")["arguments"]["breakpoints"].empty());
    // Cleared before the setup: new path mappings would make another file of the old path.
    CHECK(worker.commands.back() == "evaluate");
    const bool strange = std::any_of(second.line.sent.begin(), second.line.sent.end(), [&](const json& message) {
        return message["type"] == "response" && message["request_seq"] == unanswered;
    });
    CHECK_FALSE(strange);
}

TEST_CASE("stops are remembered thread by thread") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first);
    worker.stop(2);
    worker.stop(3);
    worker.event("thread", {{"reason", "exited"}, {"threadId", 3}});
    first.line.break_off();
    FakeClient& second = world.add_client();
    world.attach(second);
    CHECK(second.count_events("stopped") == 2);
    second.send("continue", {{"threadId", 1}});
    world.settle();
    second.line.break_off();
    FakeClient& third = world.add_client();
    world.attach(third, {{"target", "w1"}});
    CHECK(third.count_events("stopped") == 0);
}

TEST_CASE("a stop that comes while nobody is there waits for somebody") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first);
    world.unlist("w1");
    first.send("continue", {{"threadId", 1}});
    world.settle();
    first.line.break_off();
    CHECK(state_of(world, "w1") == "held");
    FakeClient& second = world.add_client();
    second.send("attach");
    world.look();
    CHECK_FALSE(second.has_event("initialized"));  // it runs; nothing is paused
    worker.stop(1, "step");
    world.look();
    second.expect_event("initialized");
    second.send("configurationDone");
    world.settle();
    CHECK(second.expect_event("stopped")["reason"] == "step");
}

TEST_CASE("two clients never get the same worker; the longest-waiting goes first") {
    World world;
    world.add_worker("w1");
    world.add_worker("w2");
    FakeClient& a = world.add_client();
    FakeClient& b = world.add_client();
    FakeClient& c = world.add_client();
    a.send("attach");
    b.send("attach");
    c.send("attach", {{"wait", 0}});
    world.look();
    a.expect_event("initialized");
    b.expect_event("initialized");
    CHECK(c.expect_error(2)["id"] == 1012);
    CHECK(world.workers["w1"]->count("attach") == 1);
    CHECK(world.workers["w2"]->count("attach") == 1);
}

TEST_CASE("targets: none, several, taken") {
    World world;
    world.add_worker("w1");
    world.add_worker("w2");
    FakeClient& client = world.add_client();
    SUBCASE("unknown") {
        const std::int64_t request = client.send("attach", {{"target", "cube"}, {"wait", 0}});
        world.look();
        const json error = client.expect_error(request);
        CHECK(error["id"] == 1010);
        CHECK(error["format"].get<std::string>().find("square · pid 101") != std::string::npos);
    }
    SUBCASE("ambiguous") {
        const std::int64_t request = client.send("attach", {{"target", "square"}});
        world.look();
        const json error = client.expect_error(request);
        CHECK(error["id"] == 1011);
        CHECK(error["format"].get<std::string>().find("pid 102") != std::string::npos);
    }
    SUBCASE("in another session") {
        world.attach(client, {{"target", "w1"}});
        FakeClient& second = world.add_client("vscode");
        const std::int64_t request = second.send("attach", {{"target", "w1"}});
        world.look();
        const json error = second.expect_error(request);
        CHECK(error["id"] == 1013);
        CHECK(error["format"].get<std::string>().find("session 1 (test)") != std::string::npos);
        // With one of the two taken, the name is no longer ambiguous.
        world.attach(second, {{"target", "square"}});
        CHECK(world.workers["w2"]->count("attach") == 1);
    }
}

TEST_CASE("a worker that listens without being paused must be meant by its id") {
    World world;
    world.add_worker("w1").stops = false;
    world.source.now.workers[0].waiting = false;
    FakeClient& client = world.add_client();
    const std::int64_t request = client.send("attach", {{"wait", 0}});
    world.look();
    client.expect_error(request);
    const std::int64_t named = client.send("attach", {{"target", "square"}, {"wait", 0}});
    world.look();
    client.expect_error(named);
    world.attach(client, {{"target", "w1"}});
}

TEST_CASE("a worker that cannot be attached") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("refused: named with its address") {
        worker.connects = false;
        const std::int64_t request = client.send("attach", {{"target", "w1"}});
        world.look();
        const json error = client.expect_error(request);
        CHECK(error["id"] == 1020);
        CHECK(error["format"].get<std::string>().find("10.0.0.1:50000") != std::string::npos);
    }
    SUBCASE("no answer: ends by the deadline") {
        worker.handshakes = false;
        const std::int64_t request = client.send("attach", {{"target", "w1"}});
        world.look();
        world.timers.advance(seconds(16));
        CHECK(client.expect_error(request)["id"] == 1020);
    }
    SUBCASE("another debugger has it") {
        worker.handshakes = false;
        const std::int64_t request = client.send("attach", {{"target", "w1"}});
        world.look();
        worker.refuse(worker.last("attach"), "Server[pid=101] is already being debugged.");
        CHECK(client.expect_error(request)["id"] == 1021);
    }
    SUBCASE("without a target the next one is taken") {
        worker.connects = false;
        world.add_worker("w2");
        client.send("attach");
        world.look();
        CHECK(client.expect_event("output")["output"].get<std::string>().find("10.0.0.1") != std::string::npos);
        world.look();
        client.expect_event("initialized");
        CHECK(world.workers["w2"]->count("attach") == 1);
    }
    SUBCASE("without a target and without another one, the reason is told at the end of the wait") {
        worker.connects = false;
        const std::int64_t request = client.send("attach", {{"wait", 0}});
        world.look();
        world.look();
        CHECK(client.expect_error(request)["id"] == 1020);
    }
    SUBCASE("a setup that gets no answer delays, and loses nothing") {
        worker.handshakes = false;
        client.send("attach");
        world.look();
        worker.event("initialized");
        world.settle();
        CHECK_FALSE(client.has_event("initialized"));
        world.timers.advance(seconds(11));
        client.expect_event("initialized");
        worker.answer(worker.last("evaluate"));  // too late
        CHECK_FALSE(client.has_event("initialized"));
    }
}

TEST_CASE("a client lost before the stop was taken leaves the worker waiting in the dashboard") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("in the handshake") {
        worker.handshakes = false;
        client.send("attach");
        world.look();
    }
    SUBCASE("while configuring") {
        world.begin_attach(client);
    }
    client.line.break_off();
    world.settle();
    // debugpy's adapter may stop accepting for good when a connection just closes.
    CHECK(worker.count("disconnect") == 1);
    CHECK(worker.count("configurationDone") == 0);
    rest(world);
    worker.handshakes = true;
    CHECK(state_of(world, "w1") == "waiting");
    world.attach(world.add_client());
}

TEST_CASE("a worker rests between two links") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& first = world.add_client();
    world.attach(first);
    first.send("disconnect");
    world.settle();
    FakeClient& second = world.add_client();
    second.send("attach");
    world.look();
    CHECK(worker.count("attach") == 1);
    rest(world);
    world.look();
    CHECK(worker.count("attach") == 2);
}

TEST_CASE("a release that the worker does not confirm ends by its deadline") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    worker.leaves = false;
    FakeClient& client = world.add_client();
    world.attach(client);
    const std::int64_t request = client.send("disconnect");
    world.settle();
    world.timers.advance(milliseconds(2100));
    client.expect_success(request);
    rest(world);
    CHECK(world.bridge->targets().size() == 1);  // what the dashboard says, no link
}

TEST_CASE("a release waits for the stop that is due: without a debugger the worker would stand still") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    worker.stops = false;
    FakeClient& client = world.add_client();
    world.attach(client);
    const std::int64_t request = client.send("disconnect");
    world.settle();
    CHECK(worker.count("disconnect") == 0);
    SUBCASE("it comes") {
        worker.stop();
    }
    SUBCASE("it does not") {
        world.timers.advance(milliseconds(2000));
    }
    world.settle();
    CHECK(worker.count("disconnect") == 1);
    client.expect_success(request);
}

TEST_CASE("onDisconnect and holdFor") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    SUBCASE("resume") {
        world.attach(client, {{"onDisconnect", "resume"}});
        client.line.break_off();
        world.settle();
        CHECK(worker.count("disconnect") == 1);
    }
    SUBCASE("holdFor ends") {
        world.attach(client, {{"holdFor", 60}});
        client.line.break_off();
        world.timers.advance(seconds(59));
        world.settle();
        CHECK(worker.count("disconnect") == 0);
        world.timers.advance(seconds(2));
        world.settle();
        CHECK(worker.count("disconnect") == 1);
    }
    SUBCASE("holdFor ends with the return of a client") {
        world.attach(client, {{"holdFor", 60}});
        client.line.break_off();
        world.attach(world.add_client());
        world.timers.advance(seconds(120));
        world.settle();
        CHECK(worker.count("disconnect") == 0);
    }
}

TEST_CASE("a held worker that dies is forgotten") {
    World world;
    FakeWorker& worker = world.add_worker("w1");
    FakeClient& client = world.add_client();
    world.attach(client);
    world.unlist("w1");
    client.line.break_off();
    worker.line.break_off();
    rest(world);
    CHECK(world.bridge->targets().empty());
}

TEST_CASE("a worker that was attached before it had a name gets one") {
    World world;
    world.add_worker("w1");
    world.source.now.workers[0].named = false;
    FakeClient& client = world.add_client();
    world.attach(client);
    const dap::Worker listed = world.source.now.workers[0];
    world.unlist("w1");
    world.look();
    world.timers.advance(seconds(1));
    CHECK(world.source.asked_listening);
    world.source.now.workers.push_back(listed);
    world.source.now.workers[0].named = true;
    world.source.now.workers[0].waiting = false;
    world.source.now.workers[0].info["name"] = "square";
    world.look();
    CHECK(world.bridge->targets()[0]["name"] == "square");
    CHECK(world.bridge->targets()[0]["state"] == "attached");
}

TEST_CASE("rayTargets answers from a look that began after it") {
    World world;
    FakeClient& client = world.add_client();
    const std::int64_t request = client.send("rayTargets");
    CHECK(client.line.sent.empty());
    world.add_worker("w1");
    world.source.now.trouble = dap::Error{dap::ErrorCode::dashboard_unreachable, "gone"};
    world.look();
    const json body = client.expect_success(request);
    CHECK(body["targets"].size() == 1);
    CHECK(body["trouble"]["id"] == 1030);
}

TEST_CASE("a token is demanded before anything happens") {
    World world({"secret"});
    world.add_worker("w1");
    FakeClient& client = world.add_client();
    CHECK(client.expect_error(client.send("attach"))["id"] == 1005);
    CHECK(client.expect_error(client.send("attach", {{"token", "secreT"}}))["id"] == 1005);
    CHECK(client.expect_error(client.send("rayTargets"))["id"] == 1005);
    CHECK(world.source.asked == 0);
    world.attach(client, {{"token", "secret"}});
    CHECK(world.workers["w1"]->last("attach").dump().find("secret") == std::string::npos);
}

TEST_CASE("the bridge's end releases workers and tells clients") {
    World world;
    FakeWorker& held = world.add_worker("w1");
    FakeWorker& attached = world.add_worker("w2");
    world.attach(world.add_client(), {{"target", "w1"}});
    world.clients.back().line.break_off();
    FakeClient& client = world.add_client();
    world.attach(client, {{"target", "w2"}});
    FakeClient& waiting = world.add_client();
    const std::int64_t wait = waiting.send("attach", {{"target", "w3"}});
    int done = 0;
    world.bridge->shut_down([&] { ++done; });
    world.settle();
    rest(world);
    CHECK(held.count("disconnect") == 1);
    CHECK(attached.count("disconnect") == 1);
    client.expect_event("terminated");
    waiting.expect_error(wait);
    CHECK(done == 1);
}

TEST_CASE("property: clients that come, go and ask at random never mix up, lose or kill a worker") {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
        World world;
        for (int i = 0; i < 4; ++i)
            world.add_worker("w" + std::to_string(i));
        std::vector<FakeClient*> attached;
        for (int step = 0; step < 120; ++step) {
            const int what = pick(6);
            if (what == 0 && attached.size() < 4) {
                FakeClient& client = world.add_client();
                const std::int64_t request = client.send("attach", {{"wait", 0}});
                world.look();
                if (!client.has_event("initialized") && client.line.sent.size() < 2) {
                    rest(world);  // a worker that another session just left
                    world.look();
                }
                if (!client.has_event("initialized")) {
                    client.expect_error(request);
                    client.line.break_off();
                    continue;
                }
                client.send("configurationDone");
                world.settle();
                client.expect_success(request);
                attached.push_back(&client);
            } else if (what == 1) {
                rest(world);
            } else if (!attached.empty()) {
                const std::size_t at = random() % attached.size();
                FakeClient& client = *attached[at];
                if (what == 2) {
                    client.line.break_off();
                    attached.erase(attached.begin() + static_cast<std::ptrdiff_t>(at));
                } else if (what == 3) {
                    const std::int64_t request = client.send("disconnect", {{"suspendDebuggee", pick(2) == 0}});
                    world.settle();
                    client.expect_success(request);
                    attached.erase(attached.begin() + static_cast<std::ptrdiff_t>(at));
                } else {
                    // The answer must come from this client's worker and nobody else's.
                    const std::string mark = std::to_string(seed) + "/" + std::to_string(step);
                    const std::int64_t request = client.send("marked", {{"mark", mark}});
                    world.settle();
                    for (auto& [id, worker] : world.workers) {
                        const json last = worker->last("marked");
                        if (!last.is_null() && last["arguments"]["mark"] == mark)
                            worker->answer(last, {{"mark", mark}});
                    }
                    CHECK(client.expect_success(request)["mark"] == mark);
                }
            }
            for (auto& [id, worker] : world.workers) {
                CHECK(worker->count("terminate") == 0);
                CHECK(worker->count("attach") <= worker->count("disconnect") + 1);
            }
        }
    }
}

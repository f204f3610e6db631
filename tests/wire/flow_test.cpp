// Large messages, slow readers, many connections: bounded memory, nothing lost, nothing left behind.
#include <atomic>
#include <functional>
#include <future>

#include <doctest/doctest.h>

#include "bridge_fixture.hpp"
#include "fake_worker.hpp"
#include "raw_client.hpp"

using nlohmann::json;
using namespace std::chrono_literals;
using namespace wire;

namespace {

constexpr int small_buffer = 32 << 10;
constexpr std::size_t piece = 256U << 10;
constexpr int too_many = 256;  // pieces, 64 MiB: more than may be on its way

/// JSON text of `size` bytes that would show a byte lost or moved.
std::string large_body(std::size_t size) {
    std::string text = R"({"result":")";
    text.reserve(size + 32);
    for (std::size_t i = 0; text.size() < size; ++i)
        text += std::to_string(i) + ",";
    return text + R"(","variablesReference":0})";
}

/// Runs at the end of a test, however it ends: frees a thread that may still be sending, and is waited for.
struct Ending {
    std::function<void()> run;
    ~Ending() { run(); }
};

/// Waits until `sent`, which somebody else makes grow, stands still for a while. Its value then.
std::size_t blocked_at(const std::function<std::size_t()>& sent) {
    std::size_t before = 0;
    auto since = Clock::now();
    wait_until("the sender is never stopped", [&] {
        const std::size_t now = sent();
        if (now != before)
            since = Clock::now();
        before = now;
        return now > 0 && Clock::now() - since > 300ms;
    });
    return before;
}

}  // namespace

TEST_CASE("wire: a large answer reaches a slow client whole, and nobody else waits for it") {
    FakeWorker worker("worker-1", 1);
    FakeWorker other_worker("worker-2", 2);
    const std::string body = large_body(8U << 20);
    worker.answer("variables", body);
    BridgeFixture bridge({worker.row(), other_worker.row()});
    RawClient client(bridge.port(), small_buffer);
    client.attach({{"target", "worker-1"}});
    RawClient other(bridge.port());
    other.attach({{"target", "worker-2"}});

    const std::int64_t seq = client.request("variables", {{"variablesReference", 1}});
    client.socket().wait_readable(Clock::now() + patience);  // it is on its way, and stuck
    for (int i = 0; i < 20; ++i)
        CHECK(other.ask("threads")["success"] == true);

    client.socket().read_slowly(16U << 10);
    std::string text;
    do
        text = client.next();
    while (text.size() < body.size());
    CHECK(text.find("\"request_seq\":" + std::to_string(seq) + ",") != std::string::npos);
    const std::string ending = ",\"body\":" + body + "}";
    REQUIRE(text.size() > ending.size());
    CHECK(text.compare(text.size() - ending.size(), ending.size(), ending) == 0);
    CHECK(client.ask("threads")["success"] == true);
}

TEST_CASE("wire: a client that sends no more gets what is queued for it") {
    FakeWorker worker;
    const std::string body = large_body(2U << 20);
    worker.answer("variables", body);
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port(), small_buffer);
    client.attach();
    client.request("variables", {{"variablesReference", 1}});
    client.socket().wait_readable(Clock::now() + patience);
    client.socket().half_close();
    std::string text;
    do
        text = client.next();
    while (text.size() < body.size());
    CHECK(text.find(body) != std::string::npos);
    client.read_to_end();
    bridge.wait_for_state("worker-1", "held");
}

TEST_CASE("wire: a client that does not read stops its worker from sending") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port(), small_buffer);
    client.attach();
    const std::string filler(piece, 'x');
    std::atomic<bool> enough = false;
    std::future<void> flood = std::async(std::launch::async, [&] {
        int count = 0;
        for (; count < too_many && !enough; ++count)
            worker.send_text(R"({"seq":1,"type":"event","event":"output","body":{"n":)" + std::to_string(count) +
                             R"(,"output":")" + filler + "\"}}");
        worker.send_event("rayEnd", {{"count", count}});
    });
    const Ending ending{[&worker] { worker.die(); }};
    // What the bridge queues, and what the system keeps for two connections.
    CHECK(blocked_at([&worker] { return worker.sent(); }) < piece * too_many / 2);
    CHECK(flood.wait_for(0s) == std::future_status::timeout);

    // Nothing is lost, and all is in order.
    enough = true;
    int next = 0;
    for (std::string text = client.next(); client.events("rayEnd") == 0; text = client.next()) {
        if (text.size() < piece)
            continue;
        REQUIRE(text.find("\"n\":" + std::to_string(next) + ",") < 200);
        ++next;
    }
    CHECK(client.count([next](const json& message) {
        return message.value("event", "") == "rayEnd" && message["body"]["count"] == next;
    }) == 1);
    CHECK(client.ask("threads")["success"] == true);
}

TEST_CASE("wire: a lost client that did not read frees its worker's stream") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    std::atomic<bool> enough = false;
    std::future<bool> flood;
    {
        RawClient client(bridge.port(), small_buffer);
        client.attach();
        flood = std::async(std::launch::async, [&] {
            const std::string filler(piece, 'x');
            bool sent = true;
            for (int i = 0; i < too_many && sent && !enough; ++i)
                sent = worker.send_event("output", {{"output", filler}});
            return sent;
        });
        blocked_at([&worker] { return worker.sent(); });
        enough = true;
        CHECK(flood.wait_for(0s) == std::future_status::timeout);
        client.kill();
    }
    CHECK(flood.wait_for(patience) == std::future_status::ready);
    CHECK(flood.get());
    bridge.wait_for_state("worker-1", "held");
}

namespace {

/// Sends requests until there is `enough` of them. Their number.
std::future<int> flood_requests(RawClient& client, const std::atomic<bool>& enough) {
    return std::async(std::launch::async, [&client, &enough] {
        const json arguments = {{"text", std::string(piece, 'x')}, {"column", 1}};
        int count = 0;
        for (; count < too_many && !enough; ++count)
            client.request("completions", arguments);
        return count;
    });
}

}  // namespace

TEST_CASE("wire: a worker that does not read stops its client from sending") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.pause_reading(true);
    std::atomic<bool> enough = false;
    std::future<int> flood = flood_requests(client, enough);
    const Ending ending{[&client] { client.socket().shut_down(); }};
    CHECK(blocked_at([&client] { return client.socket().sent(); }) < piece * too_many / 2);
    CHECK(flood.wait_for(0s) == std::future_status::timeout);
    enough = true;
    worker.pause_reading(false);
    const int count = flood.get();
    CHECK(client.response(client.last_seq())["success"] == true);
    CHECK(worker.count("completions") == count);
}

TEST_CASE("wire: a client that was stopped goes on when its worker dies") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.pause_reading(true);
    std::atomic<bool> enough = false;
    std::future<int> flood = flood_requests(client, enough);
    const Ending ending{[&client] { client.socket().shut_down(); }};
    blocked_at([&client] { return client.socket().sent(); });
    enough = true;
    worker.die();
    const std::int64_t last = flood.get() + 3;  // after initialize, attach and configurationDone
    client.event("terminated");
    CHECK(client.response(last)["success"] == false);
    CHECK(client.ask("disconnect")["success"] == true);
    int answered_once = 0;
    for (std::int64_t seq = 1; seq <= last; ++seq)
        answered_once += client.responses(seq) == 1 ? 1 : 0;
    CHECK(answered_once == last);
}

TEST_CASE("wire: lone surrogates of a worker pass byte for byte") {
    FakeWorker worker;
    const std::string body = R"({"result":"\udc80 \ud83d\ude00 \ud83d \\udc80","variablesReference":0})";
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    worker.answer("evaluate", body);
    client.request("evaluate", {{"expression", "1"}});
    std::string text;
    do
        text = client.next();
    while (text.find("\"evaluate\"") == std::string::npos);
    CHECK(text.find(",\"body\":" + body + "}") != std::string::npos);

    // In events that the bridge reads for itself as well.
    const std::string stopped =
        R"("type":"event","event":"stopped","body":{"reason":"exception","threadId":1,"text":"\udc80"}})";
    worker.send_text("{\"seq\":1," + stopped);
    do
        text = client.next();
    while (text.find("\"exception\"") == std::string::npos);
    CHECK(text.substr(text.find(',') + 1) == stopped);
}

TEST_CASE("wire: broken messages of a worker are dropped, and the session goes on") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    for (const char* body :
         {"{", "", "[]", R"({"type":"event"})", R"({"seq":1,"type":"event","event":"a","event":"b"})"})
        worker.send_text(body);
    worker.send_event("rayAfter", json::object());
    client.event("rayAfter");
    CHECK(client.ask("threads")["success"] == true);
    CHECK(client.events("terminated") == 0);
}

TEST_CASE("wire: a silent client costs one descriptor, until it goes") {
    BridgeFixture bridge;
    const std::size_t before = open_descriptors();
    {
        const RawClient silent(bridge.port());
        RawClient active(bridge.port());
        CHECK(active.initialize()["success"] == true);
        CHECK(open_descriptors() == before + 4);  // two ends each
    }
    wait_until("descriptors stay open", [&] { return open_descriptors() == before; });
}

TEST_CASE("wire: 200 connections that come and go leave nothing behind") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 200; ++i) {
        RawClient client(bridge.port());
        switch (i % 7) {
            case 0:
                break;
            case 1:
                client.initialize();
                break;
            case 2:
                client.send("GET / HTTP/1.1\r\n\r\n");
                break;
            case 3:
                client.send("Content-Length: 100\r\n\r\n{");
                break;
            case 4:
                client.initialize();
                client.request("attach", {{"target", "nobody"}});
                break;
            case 5:
                client.initialize();
                client.request("disconnect");
                break;
            default:
                client.initialize();
                client.ask("attach", {{"target", "nobody"}, {"wait", 0}});
                break;
        }
        if (i % 2 == 0)
            client.kill();
    }
    wait_until("descriptors stay open", [&] { return open_descriptors() == before; });
    std::size_t waiting = 1;
    bridge.with_source([&waiting](FakeSource& source) { waiting = source.waiting_sessions(); });
    CHECK(waiting == 0);
    RawClient client(bridge.port());
    client.attach();
}

TEST_CASE("wire: a worker that is attached and released again and again leaves nothing behind") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    const std::size_t before = open_descriptors();
    for (int i = 1; i <= 3; ++i) {
        RawClient client(bridge.port());
        client.attach();
        CHECK(client.ask("disconnect", {{"terminateDebuggee", false}})["success"] == true);
        worker.wait_closed(i);
    }
    CHECK(worker.connections() == 3);
    wait_until("descriptors stay open", [&] { return open_descriptors() == before; });
}

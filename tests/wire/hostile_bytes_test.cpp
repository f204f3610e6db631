// What comes in that is no DAP, or broken DAP: refused at once, told where that can help, and never harmful.
#include <doctest/doctest.h>

#include "bridge_fixture.hpp"
#include "fake_worker.hpp"
#include "raw_client.hpp"

using nlohmann::json;
using namespace wire;

namespace {

const std::string initialize = R"({"seq":1,"type":"request","command":"initialize","arguments":{"adapterID":"ray"}})";
const std::string attach = R"({"seq":2,"type":"request","command":"attach","arguments":{"wait":0}})";

/// The bridge still serves, and everything that came before is dealt with.
void check_serving(const BridgeFixture& bridge) {
    RawClient client(bridge.port());
    CHECK(client.initialize()["success"] == true);
}

/// The only message that `client` gets before its connection is closed.
json last_words(RawClient& client) {
    client.read_to_end();
    REQUIRE(client.received() == 1);
    return client.event("output");
}

}  // namespace

TEST_CASE("wire: HTTP and TLS close the connection without a reply and without an effect") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    const std::string frames = frame(initialize) + frame(attach);
    for (const std::string& bytes : {
             std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
             "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(frames.size()) + "\r\n\r\n" +
                 frames,
             "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n" + frames,
             std::string("OPTIONS * HTTP/1.1\r\n\r\n"),
             "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames,
             std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
             // Header names of HTTP after one of DAP.
             "Content-Length: " + std::to_string(initialize.size()) + "\r\nHost: localhost\r\n\r\n" + initialize,
             // A frame inside the header that is never finished.
             "X: " + frames,
         }) {
        CAPTURE(bytes);
        RawClient client(bridge.port());
        client.send(bytes);
        client.read_to_end();
        CHECK(client.received() == 0);
    }
    check_serving(bridge);
    CHECK(worker.connections() == 0);
    CHECK(bridge.refreshes() == 0);
}

TEST_CASE("wire: HTTP is refused at its first byte") {
    const BridgeFixture bridge;
    for (const char* byte : {"G", "P", "O", "\x16", "{"}) {
        RawClient client(bridge.port());
        client.send(byte);
        client.read_to_end();
        CHECK(client.received() == 0);
    }
}

TEST_CASE("wire: a broken length is told and ends the connection") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    struct Case {
        std::string header;
        std::string reason;
    };
    for (const Case& broken : std::vector<Case>{
             {"Content-Length: -5\r\n\r\n", "not a number"},
             {"Content-Length: ten\r\n\r\n", "not a number"},
             {"Content-Length:\r\n\r\n", "not a number"},
             {"Content-Length: 16777217\r\n\r\n", "16 MiB"},
             {"Content-Length: 99999999999999999999999999\r\n\r\n", "16 MiB"},
             {"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "more than one"},
             {"\r\n", "no Content-Length"},
             {"Content-Type: application/json\r\n\r\n", "no Content-Length"},
             {"Content-Length: 5\n\n", "CR LF"},
         }) {
        CAPTURE(broken.header);
        RawClient client(bridge.port());
        // What follows must not be taken for a message.
        client.send(broken.header + frame(initialize) + frame(attach));
        const json output = last_words(client);
        CHECK(output["body"]["category"] == "stderr");
        const std::string text = output["body"]["output"];
        CHECK(text.find(broken.reason) != std::string::npos);
        CHECK(text.back() == '\n');
    }
    check_serving(bridge);
    CHECK(worker.connections() == 0);
}

TEST_CASE("wire: a broken length in an attached session holds the worker") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    client.send("Content-Length: x\r\n\r\n");
    client.read_to_end();
    CHECK(client.events("output") == 1);
    bridge.wait_for_state("worker-1", "held");
    CHECK(worker.count("disconnect") == 0);
}

TEST_CASE("wire: invalid JSON, UTF-8 and envelopes are told, and the session goes on") {
    const BridgeFixture bridge;
    RawClient client(bridge.port());
    client.initialize();
    for (const std::string& body : {
             std::string("{"),
             std::string(),
             std::string("hello"),
             std::string(R"({"seq":5,"type":"request","command":"threads"} {})"),
             std::string("{\"seq\":5,\"type\":\"request\",\"command\":\"threads\",\"arguments\":\"\xFF\"}"),
             std::string("{\"seq\":5,\"type\":\"request\",\"command\":\"\xED\xA0\x80\"}"),
             std::string(R"({"seq":5,"seq":6,"type":"request","command":"threads"})"),
             std::string(R"({"seq":5,"type":"request","c\u006fmmand":"threads"})"),
             std::string(R"({"seq":"5","type":"request","command":"threads"})"),
             std::string(R"({"type":"request","command":"threads"})"),
             std::string(R"({"jsonrpc":"2.0","id":5,"method":"initialize"})"),
             std::string("[]"),
             std::string(100000, '['),
             R"({"seq":5,"type":"request","command":"threads","arguments":)" + std::string(1000, '[') +
                 std::string(1000, ']') + "}",
         }) {
        CAPTURE(body.substr(0, 100));
        client.send(frame(body));
        const json output = client.event("output");
        CHECK(output["body"]["category"] == "stderr");
        CHECK(output["body"]["output"].get<std::string>().substr(0, 8) == "ray-dap:");
    }
    CHECK(client.responses(5) == 0);
    CHECK(client.ask("threads")["success"] == false);
    CHECK(client.responses(0) == 0);
}

TEST_CASE("wire: text behind a message does not reach the worker") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.attach();
    const std::string request = R"({"seq":100,"type":"request","command":"strange"})";
    client.send(frame(request + std::string("\0{\"seq\"", 7)));
    client.send(frame(request + "x"));
    client.ask("threads");
    CHECK(worker.count("strange") == 0);
    for (const FakeWorker::Heard& heard : worker.heard())
        CHECK(json::accept(heard.text));
}

TEST_CASE("wire: responses that nobody asked for are dropped") {
    FakeWorker worker;
    BridgeFixture bridge({worker.row()});
    RawClient client(bridge.port());
    client.send(frame(R"({"seq":1,"type":"response","request_seq":1,"success":true,"command":"x"})"));
    client.send(frame(R"({"seq":2,"type":"event","event":"stopped"})"));
    client.attach();
    client.send(frame(R"({"seq":50,"type":"response","request_seq":1,"success":true,"command":"attach"})"));
    client.send(frame(R"({"seq":51,"type":"event","event":"terminated"})"));
    CHECK(client.ask("threads")["success"] == true);
    for (const FakeWorker::Heard& heard : worker.heard())
        CHECK(heard.json["type"] == "request");
}

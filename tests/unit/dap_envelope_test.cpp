#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "dap/envelope.hpp"

using dap::Envelope;
using dap::MessageType;
using dap::scan_envelope;
using dap::with_seq;
using nlohmann::json;

namespace {

Envelope scanned(const std::string& body) {
    CAPTURE(body);
    const dap::Result<Envelope> envelope = scan_envelope(body);
    REQUIRE(envelope.has_value());
    return *envelope;
}

void check_refused(const std::string& body) {
    CAPTURE(body);
    const dap::Result<Envelope> envelope = scan_envelope(body);
    REQUIRE_FALSE(envelope.has_value());
    CHECK(envelope.error().code == dap::ErrorCode::invalid_message);
    CHECK_FALSE(envelope.error().message.empty());
}

std::string spliced(const std::string& body, std::int64_t seq, std::int64_t request_seq = 0) {
    return with_seq(body, scanned(body), seq, request_seq);
}

}  // namespace

TEST_CASE("envelope: the three kinds") {
    const Envelope request = scanned(R"({"seq":7,"type":"request","command":"next","arguments":{"threadId":1}})");
    CHECK(request.type == MessageType::request);
    CHECK(request.seq == 7);
    CHECK(request.name == "next");

    const Envelope response =
        scanned(R"({"seq":8,"type":"response","request_seq":7,"success":true,"command":"next","body":{}})");
    CHECK(response.type == MessageType::response);
    CHECK(response.seq == 8);
    CHECK(response.request_seq == 7);
    CHECK(response.success);
    CHECK(response.name == "next");

    const Envelope event = scanned(R"({"seq":9,"type":"event","event":"stopped","body":{"reason":"step"}})");
    CHECK(event.type == MessageType::event);
    CHECK(event.seq == 9);
    CHECK(event.name == "stopped");
}

TEST_CASE("envelope: fields in any order") {
    std::vector<std::string> members = {R"("seq":8)",         R"("type":"response")",
                                        R"("request_seq":7)", R"("success":false)",
                                        R"("command":"x")",   R"("body":{"seq":1,"type":"event"})"};
    std::sort(members.begin(), members.end());
    do {
        std::string body = "{";
        for (const std::string& member : members)
            body += (body.size() > 1 ? "," : "") + member;
        body += "}";
        const Envelope envelope = scanned(body);
        CHECK(envelope.type == MessageType::response);
        CHECK(envelope.seq == 8);
        CHECK(envelope.request_seq == 7);
        CHECK(envelope.name == "x");
        CHECK_FALSE(envelope.success);
    } while (std::next_permutation(members.begin(), members.end()));
}

TEST_CASE("envelope: whitespace everywhere") {
    const std::string body =
        " \t\r\n{ \n\"seq\" \t:\r 8 ,\n \"type\" : \"response\" , \"request_seq\"\n:\n7\n,\"success\"\t:\ttrue\t,"
        " \"command\" : \"x\" , \"body\" : { \"a\" : [ 1 , 2 ] } \n} \n";
    const Envelope envelope = scanned(body);
    CHECK(envelope.seq == 8);
    CHECK(envelope.request_seq == 7);
    CHECK(envelope.success);
    const std::string text = spliced(body, 100, 200);
    CHECK(json::parse(text)["seq"] == 100);
    CHECK(json::parse(text)["request_seq"] == 200);
    CHECK(text.size() == body.size() + 4);
}

TEST_CASE("envelope: nested fields of the same names are not looked at") {
    const std::string body =
        R"({"body":{"seq":99,"type":"event","event":"no","request_seq":98,"command":"no","success":true},)"
        R"("list":[{"seq":97,"type":"request"},["seq","type"]],"seq":1,"type":"request","command":"yes"})";
    const Envelope envelope = scanned(body);
    CHECK(envelope.seq == 1);
    CHECK(envelope.type == MessageType::request);
    CHECK(envelope.name == "yes");
    json expected = json::parse(body);
    expected["seq"] = 5;
    CHECK(json::parse(spliced(body, 5)) == expected);
}

TEST_CASE("envelope: strings with braces, quotes and backslashes") {
    const std::string body = R"({"a":"}{][,:\"","b\t":1})";
    check_refused(body);  // an escape in a name
    const std::string good =
        R"({"a":"}{][,:\"seq\":1","b":"\\","c":"\\\"","d":["\"]","}\\"],"e":{"f":"\\\\\""},"seq":3,"type":"event","event":"x"})";
    CHECK(scanned(good).seq == 3);
    CHECK(scanned(good).name == "x");
    // Text that looks like an envelope.
    const std::string quoted =
        R"({"type":"event","event":"output","seq":4,"body":{"output":"{\"seq\":9,\"type\":\"request\"}"}})";
    CHECK(scanned(quoted).seq == 4);
    json expected = json::parse(quoted);
    expected["seq"] = 10;
    CHECK(json::parse(spliced(quoted, 10)) == expected);
}

TEST_CASE("envelope: a field given twice is refused") {
    check_refused(R"({"seq":1,"seq":2,"type":"request","command":"x"})");
    check_refused(R"({"seq":1,"type":"request","type":"event","command":"x","event":"x"})");
    check_refused(R"({"seq":1,"type":"request","command":"x","command":"x"})");
    check_refused(R"({"seq":1,"type":"event","event":"x","event":"y"})");
    check_refused(R"({"seq":1,"type":"response","request_seq":1,"request_seq":1,"command":"x"})");
    check_refused(R"({"seq":1,"type":"response","request_seq":1,"success":true,"success":false,"command":"x"})");
}

TEST_CASE("envelope: names and values spelled with escapes are refused") {
    check_refused(R"({"\u0073eq":1,"seq":1,"type":"request","command":"x"})");
    check_refused(R"({"s\u0065q":1,"type":"request","command":"x"})");
    check_refused(R"({"seq":1,"type":"request","command":"x","oth\u0065r":1})");
    check_refused(R"({"seq":1,"type":"r\u0065quest","command":"x"})");
    check_refused(R"({"seq":1,"type":"request","command":"disc\u006fnnect"})");
    check_refused(R"({"seq":1,"type":"event","event":"st\u006fpped"})");
    // Inside a value nobody looks at them.
    CHECK(scanned(R"({"seq":1,"type":"request","command":"x","arguments":{"\u0073eq":2}})").seq == 1);
}

TEST_CASE("envelope: missing and wrong fields") {
    for (const std::string body : {
             R"({})",
             R"({"seq":1,"command":"x"})",
             R"({"seq":1,"type":"request"})",
             R"({"type":"request","command":"x"})",
             R"({"seq":1,"type":"event"})",
             R"({"seq":1,"type":"event","command":"x"})",
             R"({"seq":1,"type":"request","event":"x"})",
             R"({"seq":1,"type":"response","command":"x","success":true})",
             R"({"seq":1,"type":"notification","method":"x"})",
             R"({"seq":1,"type":"Request","command":"x"})",
             R"({"seq":1,"type":5,"command":"x"})",
             R"({"seq":1,"type":null,"command":"x"})",
             R"({"seq":1,"type":{"type":"request"},"command":"x"})",
             R"({"seq":1,"type":"request","command":7})",
             R"({"seq":1,"type":"request","command":null})",
             R"({"seq":1,"type":"request","command":["x"]})",
             R"({"seq":"1","type":"request","command":"x"})",
             R"({"seq":1.0,"type":"request","command":"x"})",
             R"({"seq":1e2,"type":"request","command":"x"})",
             R"({"seq":null,"type":"request","command":"x"})",
             R"({"seq":[1],"type":"request","command":"x"})",
             R"({"seq":1,"type":"response","request_seq":"1","command":"x"})",
             R"({"seq":1,"type":"response","request_seq":null,"command":"x"})",
             R"({"jsonrpc":"2.0","id":1,"method":"initialize"})",
         })
        check_refused(body);
}

TEST_CASE("envelope: bodies that are no object or end early") {
    for (const std::string body :
         {"", " ", "[]", "\"x\"", "1", "null", "{", "{\"", "{\"seq", "{\"seq\"", "{\"seq\":", "{\"seq\":1",
          "{\"seq\":1,", "{\"seq\":\"\\", "{\"seq\":[", "{\"seq\":[1}", "{:1}", "{\"seq\" 1}", "{1:1}"})
        check_refused(body);
    const std::string whole = R"({"seq":1,"type":"request","command":"x","arguments":{"a":["b\"",{"c":null}]}})";
    scanned(whole);
    for (std::size_t size = 0; size < whole.size(); ++size)
        check_refused(whole.substr(0, size));
}

TEST_CASE("envelope: numbers of 64 bits") {
    constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();
    const std::string body = R"({"seq":9223372036854775807,"type":"response","request_seq":-9223372036854775808})";
    CHECK(scanned(body).seq == largest);
    CHECK(scanned(body).request_seq == smallest);
    const json after = json::parse(spliced(body, smallest, largest));
    CHECK(after["seq"] == smallest);
    CHECK(after["request_seq"] == largest);
    check_refused(R"({"seq":9223372036854775808,"type":"request","command":"x"})");
    check_refused(R"({"seq":99999999999999999999999,"type":"request","command":"x"})");
    CHECK(scanned(R"({"seq":0,"type":"request","command":"x"})").seq == 0);
}

TEST_CASE("envelope: what clients leave out") {
    // Some count no `seq` in responses and events, some name no `command` in responses (facts of clients).
    CHECK(scanned(R"({"type":"response","request_seq":3,"success":true})").name.empty());
    CHECK(scanned(R"({"type":"response","request_seq":3})").success == false);
    CHECK(scanned(R"({"type":"response","request_seq":3,"success":"true"})").success == false);
    CHECK(scanned(R"({"type":"event","event":"x"})").seq == 0);
}

TEST_CASE("envelope: splicing leaves every other byte as it was") {
    CHECK(spliced(R"({ "seq" : 7 , "type":"request","command":"x" })", 123) ==
          R"({ "seq" : 123 , "type":"request","command":"x" })");
    CHECK(spliced(R"({"event":"x","seq":1234567,"type":"event"})", 5) == R"({"event":"x","seq":5,"type":"event"})");
    CHECK(spliced(R"({"seq":1,"type":"response","request_seq":2,"success":true})", 10, 20) ==
          R"({"seq":10,"type":"response","request_seq":20,"success":true})");
    CHECK(spliced(R"({"request_seq":2,"type":"response","seq":1,"success":true})", 10, 20) ==
          R"({"request_seq":20,"type":"response","seq":10,"success":true})");
    // Lone surrogates and odd escapes pass.
    CHECK(spliced(R"({"seq":1,"type":"event","event":"x","body":"\udc80\/\u00e4"})", 2) ==
          R"({"seq":2,"type":"event","event":"x","body":"\udc80\/\u00e4"})");
}

TEST_CASE("envelope: a message without seq gets one") {
    CHECK(spliced(R"({"type":"event","event":"x"})", 5) == R"({"seq":5,"type":"event","event":"x"})");
    CHECK(json::parse(spliced(R"({ "type":"event","event":"x"})", 5))["seq"] == 5);
    const json response = json::parse(spliced(R"({"request_seq":2,"type":"response","success":true})", 10, 20));
    CHECK(response["seq"] == 10);
    CHECK(response["request_seq"] == 20);
}

namespace {

class RandomMessages {
  public:
    explicit RandomMessages(unsigned seed) : m_random(seed) {}

    int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(m_random); }

    std::string text() {
        static const std::vector<std::string> pieces = {
            "a",   "\"",      "\\",   "{",  "}", "[",    "]",        ",", ":",       "\n",
            "seq", "\"seq\"", "type", "\t", " ", "\\\"", "\xC3\xA4", "u", "\\u0041", "\xF0\x9F\x98\x80",
            "1",   "\x01"};
        std::string result;
        for (int i = below(8); i > 0; --i)
            result += pieces[static_cast<std::size_t>(below(static_cast<int>(pieces.size())))];
        return result;
    }

    json value(int depth) {
        switch (below(depth > 0 ? 8 : 6)) {
            case 0:
                return nullptr;
            case 1:
                return below(2) == 0;
            case 2:
                return number();
            case 3:
                return below(1000) / 8.0;
            case 4:
            case 5:
                return text();
            case 6: {
                json array = json::array();
                for (int i = below(4); i > 0; --i)
                    array.push_back(value(depth - 1));
                return array;
            }
            default: {
                static const std::vector<std::string> names = {"seq", "type", "request_seq", "command", "event", ""};
                json object = json::object();
                for (int i = below(4); i > 0; --i)
                    object[below(2) == 0 ? names[static_cast<std::size_t>(below(6))] : text()] = value(depth - 1);
                return object;
            }
        }
    }

    std::int64_t number() {
        const int bits = below(64);
        const auto any = std::uniform_int_distribution<std::int64_t>(
            std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max())(m_random);
        return any >> bits;
    }

    /// A message as text with its members in random order and random whitespace between tokens.
    std::string message(bool& is_response) {
        std::vector<std::pair<std::string, json>> members;
        const int kind = below(3);
        is_response = kind == 0;
        if (kind == 0) {
            members = {{"type", "response"}, {"request_seq", number()}, {"success", below(2) == 0}};
            if (below(4) > 0)
                members.emplace_back("command", "evaluate");
        } else if (kind == 1) {
            members = {{"type", "request"}, {"command", "evaluate"}};
        } else {
            members = {{"type", "event"}, {"event", "output"}};
        }
        if (kind == 1 || below(4) > 0)
            members.emplace_back("seq", number());
        if (below(4) > 0)
            members.emplace_back(kind == 1 ? "arguments" : "body", value(4));
        if (below(4) == 0)
            members.emplace_back("extra", value(2));
        std::shuffle(members.begin(), members.end(), m_random);
        std::string text = space() + "{" + space();
        for (std::size_t i = 0; i < members.size(); ++i) {
            const int indent = below(3) - 1;
            text += (i == 0 ? "" : "," + space()) + json(members[i].first).dump() + space() + ":" + space() +
                    members[i].second.dump(indent, ' ', below(2) == 0) + space();
        }
        return text + "}" + space();
    }

  private:
    std::string space() {
        static const std::vector<std::string> spaces = {"", "", "", " ", "\n", "\t", "\r\n  "};
        return spaces[static_cast<std::size_t>(below(static_cast<int>(spaces.size())))];
    }

    std::mt19937 m_random;
};

}  // namespace

TEST_CASE("envelope: in random messages splicing changes the numbers alone") {
    RandomMessages random(20240229);
    for (int i = 0; i < 4000; ++i) {
        bool is_response = false;
        const std::string body = random.message(is_response);
        CAPTURE(i);
        CAPTURE(body);
        json expected = json::parse(body);
        const Envelope envelope = scanned(body);
        CHECK(envelope.seq == expected.value("seq", std::int64_t{0}));
        CHECK(envelope.request_seq == expected.value("request_seq", std::int64_t{0}));
        CHECK(envelope.success == expected.value("success", false));
        CHECK(envelope.name == expected.value(expected["type"] == "event" ? "event" : "command", ""));

        const std::int64_t seq = random.number();
        const std::int64_t request_seq = random.number();
        const std::string after = with_seq(body, envelope, seq, request_seq);
        expected["seq"] = seq;
        if (is_response)
            expected["request_seq"] = request_seq;
        CHECK(json::parse(after) == expected);
        // And back again: the same bytes.
        if (envelope.seq_span.end != 0)
            CHECK(with_seq(after, scanned(after), envelope.seq, envelope.request_seq) == body);
    }
}

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "dap/framing.hpp"

using dap::ErrorCode;
using dap::FrameReader;

namespace {

constexpr std::size_t small_cap = 1024;

struct Outcome {
    std::vector<std::string> bodies;
    std::optional<dap::Error> error;
};

/// Feeds the parts one after the other and takes what is complete after each.
Outcome read(const std::vector<std::string>& parts, std::size_t max_body = small_cap) {
    FrameReader reader(max_body);
    Outcome outcome;
    for (const std::string& part : parts) {
        reader.feed(part);
        while (true) {
            dap::Result<std::optional<std::string>> body = reader.next();
            if (!body) {
                outcome.error = body.error();
                return outcome;
            }
            if (!*body)
                break;
            outcome.bodies.push_back(std::move(**body));
        }
    }
    return outcome;
}

std::vector<std::string> bytes_of(const std::string& text) {
    std::vector<std::string> bytes;
    for (const char c : text)
        bytes.emplace_back(1, c);
    return bytes;
}

std::string frame(const std::string& body) {
    return dap::frame_header(body.size()) + body;
}

/// Refused with `code`, whether it comes at once or byte by byte, and without giving a body before.
void check_refused(const std::string& stream, ErrorCode code) {
    CAPTURE(stream);
    for (const bool at_once : {true, false}) {
        const Outcome outcome = read(at_once ? std::vector{stream} : bytes_of(stream));
        CHECK(outcome.bodies.empty());
        REQUIRE(outcome.error);
        CHECK(outcome.error->code == code);
        CHECK_FALSE(outcome.error->message.empty());
    }
}

}  // namespace

TEST_CASE("framing: a frame is read at every split point") {
    const std::vector<std::string> bodies = {R"({"seq":1})", "", R"({"seq":2,"text":"Content-Length: 3\r\n\r\n"})"};
    std::string stream;
    for (const std::string& body : bodies)
        stream += frame(body);
    for (std::size_t first = 0; first <= stream.size(); ++first) {
        CAPTURE(first);
        const Outcome two = read({stream.substr(0, first), stream.substr(first)});
        CHECK_FALSE(two.error);
        CHECK(two.bodies == bodies);
        for (std::size_t second = first; second <= stream.size(); second += 7) {
            const Outcome three =
                read({stream.substr(0, first), stream.substr(first, second - first), stream.substr(second)});
            CHECK(three.bodies == bodies);
        }
    }
    CHECK(read(bytes_of(stream)).bodies == bodies);
}

TEST_CASE("framing: nothing is given while a byte is missing") {
    const std::string stream = frame("{}");
    for (std::size_t size = 0; size < stream.size(); ++size) {
        const Outcome outcome = read({stream.substr(0, size)});
        CHECK(outcome.bodies.empty());
        CHECK_FALSE(outcome.error);
    }
}

TEST_CASE("framing: many frames in one feed, and a rest for the next") {
    std::string stream;
    for (int i = 0; i < 1000; ++i)
        stream += frame(std::to_string(i));
    const Outcome outcome = read({stream + "Content-Le", "ngth: 4\r\n\r\nrest"});
    REQUIRE(outcome.bodies.size() == 1001);
    CHECK(outcome.bodies.front() == "0");
    CHECK(outcome.bodies[999] == "999");
    CHECK(outcome.bodies.back() == "rest");
}

TEST_CASE("framing: a body holds any bytes") {
    std::string body;
    for (int i = 0; i < 256; ++i)
        body += static_cast<char>(i);
    CHECK(read({frame(body)}).bodies == std::vector{body});
    CHECK(read(bytes_of(frame(body))).bodies == std::vector{body});
}

TEST_CASE("framing: accepted headers") {
    for (const std::string header :
         {"Content-Length: 2\r\n\r\n", "content-length: 2\r\n\r\n", "CONTENT-LENGTH: 2\r\n\r\n",
          "cOnTeNt-LeNgTh: 2\r\n\r\n", "Content-Length:2\r\n\r\n", "Content-Length:   2  \r\n\r\n",
          "Content-Length: 002\r\n\r\n",
          "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
          "Content-Length: 2\r\ncontent-TYPE: application/json\r\n\r\n",
          "Content-Length: 2\r\nContent-Type:\r\n\r\n"}) {
        CAPTURE(header);
        CHECK(read({header + "{}"}).bodies == std::vector<std::string>{"{}"});
        CHECK(read(bytes_of(header + "{}")).bodies == std::vector<std::string>{"{}"});
    }
}

TEST_CASE("framing: broken lengths") {
    for (const std::string value : {"",
                                    " ",
                                    "-1",
                                    "-0",
                                    "+2",
                                    "2.0",
                                    "2e0",
                                    "0x2",
                                    "two",
                                    "2 2",
                                    "2,2",
                                    "2;",
                                    "\t2",
                                    "2\t",
                                    "1025",
                                    "4294967296",
                                    "4611686018427387904",
                                    "9223372036854775807",
                                    "18446744073709551615",
                                    "18446744073709551616",
                                    "18446744073709551618",
                                    "99999999999999999999999999999999999999"})
        check_refused("Content-Length:" + value + "\r\n\r\n", ErrorCode::invalid_message);
}

TEST_CASE("framing: duplicate and missing lengths") {
    check_refused("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", ErrorCode::invalid_message);
    check_refused("Content-Length: 2\r\ncontent-length: 20\r\n\r\n{}", ErrorCode::invalid_message);
    check_refused("Content-Length: 2\r\nContent-Type: a\r\nContent-Length: 3\r\n\r\n{}", ErrorCode::invalid_message);
    check_refused("\r\n", ErrorCode::invalid_message);
    check_refused("Content-Type: application/json\r\n\r\n{}", ErrorCode::invalid_message);
}

TEST_CASE("framing: a length does not carry over to the next frame") {
    const Outcome outcome = read({frame("{}") + "\r\n{}"});
    CHECK(outcome.bodies.size() == 1);
    REQUIRE(outcome.error);
    CHECK(outcome.error->code == ErrorCode::invalid_message);
}

TEST_CASE("framing: lines end with CR LF") {
    check_refused("Content-Length: 2\n\n{}", ErrorCode::invalid_message);
    check_refused("Content-Type: application/json\nContent-Length: 2\r\n\r\n{}", ErrorCode::invalid_message);
    // The CR alone belongs to the line.
    check_refused("Content-Length: 2\r\r\n\r\n{}", ErrorCode::invalid_message);
}

TEST_CASE("framing: an empty line that ends with LF alone") {
    // Longer than what a string holds in itself: reading before its first byte would leave its memory.
    const Outcome outcome = read({"\n" + std::string(100, 'x')});
    REQUIRE(outcome.error);
    CHECK(outcome.bodies.empty());
    check_refused("\n", outcome.error->code);
    check_refused("Content-Length: 2\r\n\n{}", ErrorCode::invalid_message);
}

TEST_CASE("framing: names that are no DAP header fields") {
    for (const std::string header :
         {"Content-Length 2\r\n\r\n", "Content-Lengthy: 2\r\n\r\n", "Content-Len: 2\r\n\r\n", " Content-Length: 2\r\n",
          "Content-Length : 2\r\n\r\n", "X-Content-Length: 2\r\n\r\n", "Host: localhost\r\n\r\n",
          "Content-Length: 2\r\nHost: localhost\r\n\r\n{}", "Content-Length: 2\r\n folded\r\n\r\n{}", "\rx",
          "Content-Length\r\n\r\n", "Content-Type\r\n\r\n"})
        check_refused(header, ErrorCode::not_dap);
}

TEST_CASE("framing: a header longer than any DAP client sends") {
    check_refused("Content-Type: " + std::string(600, 'x') + "\r\nContent-Length: 2\r\n\r\n{}", ErrorCode::not_dap);
    std::string many;
    for (int i = 0; i < 60; ++i)
        many += "Content-Type: application/json\r\n";
    check_refused(many + "Content-Length: 2\r\n\r\n{}", ErrorCode::not_dap);
    // Not even its end is waited for.
    CHECK(read({"Content-Length: " + std::string(600, ' ')}).error);
    CHECK(read(bytes_of("Content-Length: " + std::string(600, '0'))).error);
}

TEST_CASE("framing: other protocols are refused at their first byte") {
    // The methods of HTTP, HTTP/2, TLS, SSH, bare JSON, and bytes that no text begins with.
    for (const char first : std::string("GPOHDTP\x16S{[ \xEF\xFF\0", 15)) {
        CAPTURE(static_cast<int>(first));
        FrameReader reader(small_cap);
        reader.feed(std::string_view(&first, 1));
        const auto refused = reader.next();
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == ErrorCode::not_dap);
    }
    for (const std::string line :
         {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\x16\x03\x01"})
        check_refused(line, ErrorCode::not_dap);
    // CONNECT shares three letters with a DAP header.
    FrameReader reader(small_cap);
    reader.feed("CONN");
    CHECK_FALSE(reader.next().has_value());
}

TEST_CASE("framing: the largest body") {
    const std::string largest(small_cap, 'x');
    CHECK(read({frame(largest)}).bodies == std::vector{largest});
    CHECK(read(bytes_of(frame(largest))).bodies == std::vector{largest});
    const Outcome outcome = read({frame(largest + "x")});
    REQUIRE(outcome.error);
    CHECK(outcome.error->code == ErrorCode::invalid_message);
    // A reader that accepts nothing still accepts nothing's length.
    CHECK(read({frame("")}, 0).bodies.size() == 1);
    CHECK(read({frame("x")}, 0).error);
}

TEST_CASE("framing: a refused length says what is accepted") {
    const Outcome outcome = read({"Content-Length: 16777217\r\n\r\n"}, dap::max_client_body);
    REQUIRE(outcome.error);
    CHECK(outcome.error->message.find("16 MiB") != std::string::npos);
    CHECK_FALSE(read({"Content-Length: 16777216\r\n\r\n"}, dap::max_client_body).error);
}

TEST_CASE("framing: no memory is taken for a length before it is checked") {
    // Had it been reserved, the string would throw or the sanitizer end the process.
    for (const std::string length : {"1099511627776", "70368744177664", "9223372036854775807"}) {
        FrameReader reader(dap::max_worker_body);
        reader.feed("Content-Length: " + length + "\r\n\r\n");
        CHECK_FALSE(reader.next().has_value());
    }
}

TEST_CASE("framing: a body of 0 bytes") {
    CHECK(read({"Content-Length: 0\r\n\r\n"}).bodies == std::vector<std::string>{""});
    CHECK(read({"Content-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n{}"}).bodies == std::vector<std::string>{"", "{}"});
}

TEST_CASE("framing: a large body in small pieces between small ones") {
    const std::string large(3U << 20, 'y');
    const std::string stream = frame("a") + frame(large) + frame("b");
    FrameReader reader(dap::max_client_body);
    std::vector<std::string> bodies;
    for (std::size_t at = 0; at < stream.size(); at += 65536) {
        reader.feed(std::string_view(stream).substr(at, 65536));
        for (auto body = reader.next(); body && *body; body = reader.next())
            bodies.push_back(**body);
    }
    REQUIRE(bodies.size() == 3);
    CHECK(bodies[0] == "a");
    CHECK(bodies[1] == large);
    CHECK(bodies[2] == "b");
}

TEST_CASE("framing: the header that is written is the header that is read") {
    CHECK(dap::frame_header(0) == "Content-Length: 0\r\n\r\n");
    CHECK(dap::frame_header(1234567) == "Content-Length: 1234567\r\n\r\n");
}

#include <string>

#include <doctest/doctest.h>

#include "dap/json_text.hpp"

using dap::check_json;
using dap::parse_json;
using nlohmann::json;

namespace {

const std::string replacement = "\xEF\xBF\xBD";  // U+FFFD

/// parse_json and check_json agree that `text` is valid.
json parsed(const std::string& text) {
    CAPTURE(text);
    CHECK(check_json(text).has_value());
    const dap::Result<json> value = parse_json(text);
    REQUIRE(value.has_value());
    CHECK(dap::parse_json_or_null(text) == *value);
    return *value;
}

void check_refused(const std::string& text) {
    CAPTURE(text.substr(0, 80));
    const dap::Result<void> checked = check_json(text);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().code == dap::ErrorCode::invalid_message);
    const dap::Result<json> value = parse_json(text);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().code == dap::ErrorCode::invalid_message);
    CHECK_FALSE(value.error().message.empty());
    CHECK(dap::parse_json_or_null(text).is_null());
}

std::string nested(std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
}

}  // namespace

TEST_CASE("json_text: lone surrogates become U+FFFD") {
    CHECK(parsed(R"("\udc80")") == replacement);
    CHECK(parsed(R"("\ud83d")") == replacement);
    CHECK(parsed(R"("a\uDC80b")") == "a" + replacement + "b");
    CHECK(parsed(R"("\ud83dx")") == replacement + "x");
    CHECK(parsed(R"("\ud83d\u0041")") == replacement + "A");
    CHECK(parsed(R"("\ud83d\n")") == replacement + "\n");
    CHECK(parsed(R"("\ude00\ud83d")") == replacement + replacement);
    CHECK(parsed(R"("\udc80\udc81\udc82")") == replacement + replacement + replacement);
    CHECK(parsed(R"({"\udfff":"\ud800"})") == json{{replacement, replacement}});
}

TEST_CASE("json_text: pairs are kept") {
    CHECK(parsed(R"("\ud83d\ude00")") == "\xF0\x9F\x98\x80");
    CHECK(parsed(R"("\uD83D\uDE00")") == "\xF0\x9F\x98\x80");
    CHECK(parsed(R"("\udbff\udfff")") == "\xF4\x8F\xBF\xBF");
    // A lone high one right before a pair, and a lone low one right after.
    CHECK(parsed(R"("\ud800\ud83d\ude00")") == replacement + "\xF0\x9F\x98\x80");
    CHECK(parsed(R"("\ud83d\ude00\ude00")") == "\xF0\x9F\x98\x80" + replacement);
    CHECK(parsed("\"\xF0\x9F\x98\x80\"") == "\xF0\x9F\x98\x80");
    // The last code points around the surrogates.
    CHECK(parsed(R"("\ud7ff\ue000")") == "\xED\x9F\xBF\xEE\x80\x80");
}

TEST_CASE("json_text: an escaped backslash before u is text") {
    CHECK(parsed(R"("\\udc80")") == "\\udc80");
    CHECK(parsed(R"("\\ud83d\\ude00")") == "\\ud83d\\ude00");
    CHECK(parsed(R"("\\\udc80")") == "\\" + replacement);
    CHECK(parsed(R"("\\\\udc80")") == "\\\\udc80");
    CHECK(parsed(R"("\\udc80\udc80")") == "\\udc80" + replacement);
    // A high surrogate, an escaped backslash and text that looks like a low one: no pair.
    CHECK(parsed(R"("\ud83d\\ude00")") == replacement + "\\ude00");
}

TEST_CASE("json_text: broken escapes stay broken") {
    check_refused(R"("\ud8")");
    check_refused(R"("\udc8")");
    check_refused(R"("\udc80\ug000")");
    check_refused(R"("\ud83d\ude0")");
    check_refused(R"("\udc80)");
    check_refused(R"("\)");
}

TEST_CASE("json_text: deep nesting") {
    CHECK(parsed(nested(200, '[', ']')).is_array());
    check_refused(nested(201, '[', ']'));
    check_refused(nested(2'000'000, '[', ']'));
    std::string objects;
    for (int i = 0; i < 300; ++i)
        objects += R"({"a":)";
    check_refused(objects + "1" + std::string(300, '}'));
    // Unclosed, mixed, and after a closing bracket that has no opening one.
    check_refused(std::string(1'000'000, '['));
    check_refused(std::string(500, ']') + nested(500, '[', ']'));
    // Side by side is not deep; brackets in strings are text.
    std::string wide = "[";
    for (int i = 0; i < 1000; ++i)
        wide += i == 0 ? "[]" : ",[]";
    CHECK(parsed(wide + "]").size() == 1000);
    CHECK(parsed("\"" + std::string(1000, '[') + "\"").is_string());
    CHECK(parsed("\"\\\"" + std::string(1000, '{') + "\"").is_string());
}

TEST_CASE("json_text: bytes that are not UTF-8") {
    for (const std::string bytes : {"\x80", "\xFF", "\xC0\x80", "\xC3", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                    "\xF8\x88\x80\x80\x80", "\xF0\x80\x80\xAF"}) {
        check_refused("\"" + bytes + "\"");
        check_refused("{\"" + bytes + "\":1}");
        // Also on the way that replaces surrogates.
        check_refused("\"\\udc80" + bytes + "\"");
    }
}

TEST_CASE("json_text: text that is no JSON") {
    for (const std::string text :
         {"",        " ",        "{",   "}",      "{}{}", "{} x", "[1,]",     "{\"a\":1,}",     "{a:1}",
          "{'a':1}", "nul",      "01",  "1.",     "+1",   "NaN",  "Infinity", "// comment\n{}", "/* */{}",
          "\"\n\"",  "\"\x01\"", "\"a", "\"\\x\""})
        check_refused(text);
}

TEST_CASE("json_text: nothing may follow a document, a NUL byte included") {
    check_refused(std::string("{}\0", 3));
    check_refused(std::string("{}\0garbage", 10));
    check_refused(std::string("{\"a\":\"\\udc80\"}\0{", 16));
    check_refused(std::string("\0{}", 3));
    check_refused(std::string("{\"a\0\":1}", 8));
}

TEST_CASE("json_text: whitespace and numbers") {
    CHECK(parsed(" \t\r\n{ \"a\" : [ 1 , -2 ] } \n") == json{{"a", {1, -2}}});
    CHECK(parsed("9223372036854775807") == INT64_MAX);
    CHECK(parsed("18446744073709551615") == UINT64_MAX);
    CHECK(parsed("null").is_null());
}

TEST_CASE("json_text: dump never throws") {
    for (const std::string bytes : {"\x80", "\xFF\xFE", "a\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
        std::string text;
        REQUIRE_NOTHROW(text = dap::dump({{"text", bytes}, {bytes, 1}}));
        CHECK(check_json(text).has_value());
        CHECK(text.find(replacement) != std::string::npos);
    }
    CHECK(dap::dump({{"a", "\xC3\xA4\n"}}) == "{\"a\":\"\xC3\xA4\\n\"}");
    CHECK(dap::dump(nullptr) == "null");
    CHECK(dap::dump(json(std::string("a\0b", 3))) == R"("a\u0000b")");
}

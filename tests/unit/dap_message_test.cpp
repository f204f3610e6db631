#include <doctest/doctest.h>

#include "dap/envelope.hpp"
#include "dap/message.hpp"

using dap::error_text;
using dap::member;
using nlohmann::json;

TEST_CASE("message: requests, events and responses") {
    CHECK(json::parse(dap::make_request(3, "threads", nullptr)) ==
          json{{"seq", 3}, {"type", "request"}, {"command", "threads"}});
    CHECK(json::parse(dap::make_request(4, "next", {{"threadId", 1}})) ==
          json{{"seq", 4}, {"type", "request"}, {"command", "next"}, {"arguments", {{"threadId", 1}}}});
    CHECK(json::parse(dap::make_event(5, "initialized", nullptr)) ==
          json{{"seq", 5}, {"type", "event"}, {"event", "initialized"}});
    CHECK(json::parse(dap::make_event(6, "output", {{"output", "x"}})) ==
          json{{"seq", 6}, {"type", "event"}, {"event", "output"}, {"body", {{"output", "x"}}}});
    CHECK(json::parse(dap::make_response(7, 3, "threads", nullptr)) ==
          json{{"seq", 7}, {"type", "response"}, {"request_seq", 3}, {"command", "threads"}, {"success", true}});
    CHECK(json::parse(dap::make_response(8, 4, "threads", {{"threads", json::array()}}))["body"] ==
          json{{"threads", json::array()}});
}

TEST_CASE("message: an empty object is sent as it is") {
    CHECK(json::parse(dap::make_request(1, "x", json::object())).contains("arguments"));
    CHECK(json::parse(dap::make_event(1, "x", json::object())).contains("body"));
    CHECK(json::parse(dap::make_response(1, 1, "x", json::object())).contains("body"));
}

TEST_CASE("message: error responses") {
    const json response = json::parse(
        dap::make_error_response(9, 4, "attach", {dap::ErrorCode::nothing_paused, "Nothing {here} is paused."}));
    CHECK(response["seq"] == 9);
    CHECK(response["type"] == "response");
    CHECK(response["request_seq"] == 4);
    CHECK(response["command"] == "attach");
    CHECK(response["success"] == false);
    CHECK(response["message"] == "nothing-paused");
    CHECK(response["body"] == dap::error_body({dap::ErrorCode::nothing_paused, "Nothing {here} is paused."}));
    CHECK(error_text(response) == "Nothing {here} is paused.");
    // DAP, "Response": the word clients look for.
    CHECK(json::parse(dap::make_error_response(1, 1, "x", {dap::ErrorCode::cancelled, "It was."}))["message"] ==
          "cancelled");
}

TEST_CASE("message: what is built can be scanned, whatever the text") {
    const std::string odd = "\xFF\xC3 \"\\\n\x01";
    const auto request = dap::scan_envelope(dap::make_request(INT64_MAX, "evaluate", {{"expression", odd}}));
    REQUIRE(request.has_value());
    CHECK(request->seq == INT64_MAX);
    CHECK(request->name == "evaluate");
    CHECK(dap::scan_envelope(dap::make_event(1, "output", {{"output", odd}})).has_value());
    const auto response = dap::scan_envelope(dap::make_response(2, INT64_MIN, "evaluate", {{"result", odd}}));
    REQUIRE(response.has_value());
    CHECK(response->request_seq == INT64_MIN);
    CHECK(response->success);
    const auto error =
        dap::scan_envelope(dap::make_error_response(2, 1, "evaluate", {dap::ErrorCode::worker_lost, odd}));
    REQUIRE(error.has_value());
    CHECK_FALSE(error->success);
}

TEST_CASE("message: member") {
    const json object = {{"a", {{"b", 1}}}, {"n", nullptr}};
    CHECK(member(object, "a") == json{{"b", 1}});
    CHECK(&member(object, "a") == &object["a"]);
    CHECK(member(member(object, "a"), "b") == 1);
    CHECK(member(object, "x").is_null());
    CHECK(member(object, "n").is_null());
    CHECK(member(member(object, "x"), "y").is_null());
    for (const json& other : {json(), json(1), json("a"), json::array({1}), json(true)})
        CHECK(member(other, "a").is_null());
}

TEST_CASE("message: the text of an error with its variables") {
    const auto text = [](const json& error) { return error_text({{"body", {{"error", error}}}}); };
    CHECK(text({{"format", "plain"}}) == "plain");
    CHECK(text({{"format", "{a} and {b}"}, {"variables", {{"a", "1"}, {"b", "2"}}}}) == "1 and 2");
    CHECK(text({{"format", "{a}{a}"}, {"variables", {{"a", "x"}}}}) == "xx");
    CHECK(text({{"format", "{unknown} {a}"}, {"variables", {{"a", ""}}}}) == "{unknown} ");
    // DAP says strings; other values are shown rather than lost.
    CHECK(text({{"format", "pid {pid}"}, {"variables", {{"pid", 42}}}}) == "pid 42");
    // A value that names its own placeholder must not go on for ever.
    CHECK(text({{"format", "{a}"}, {"variables", {{"a", "{a}"}}}}) == "{a}");
    CHECK(text({{"format", "{a}"}, {"variables", {{"a", "{a}{a}"}}}}) == "{a}{a}");
    CHECK(text({{"format", "{a}"}, {"variables", "none"}}) == "{a}");
    CHECK(text({{"format", "{}"}, {"variables", {{"", "x"}}}}) == "x");
}

TEST_CASE("message: the text of an error without a format") {
    CHECK(error_text({{"message", "Server[pid=1] is already being debugged."}}) ==
          "Server[pid=1] is already being debugged.");
    CHECK(error_text({{"message", "m"}, {"body", {{"error", {{"id", 1}}}}}}) == "m");
    CHECK(error_text({{"message", "m"}, {"body", {{"error", {{"format", 5}}}}}}) == "m");
    CHECK(error_text({{"message", "m"}, {"body", nullptr}}) == "m");
    CHECK_FALSE(error_text({{"success", false}}).empty());
    CHECK_FALSE(error_text(nullptr).empty());
    CHECK_FALSE(error_text({{"message", 5}}).empty());
}

TEST_CASE("last_line") {
    CHECK(dap::last_line("Traceback:\n  f\nNameError: x\n\n") == "NameError: x");
    CHECK(dap::last_line("one") == "one");
    CHECK(dap::last_line("\n").empty());
}

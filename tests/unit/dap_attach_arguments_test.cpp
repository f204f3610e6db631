#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "dap/attach_arguments.hpp"

using dap::AttachArguments;
using dap::ErrorCode;
using dap::read_attach_arguments;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

AttachArguments accepted(const json& arguments) {
    CAPTURE(arguments.dump());
    const dap::Result<AttachArguments> read = read_attach_arguments(arguments);
    if (!read)
        FAIL(read.error().message);
    return *read;
}

dap::Error refused(const json& arguments) {
    CAPTURE(arguments.dump());
    const dap::Result<AttachArguments> read = read_attach_arguments(arguments);
    REQUIRE_FALSE(read.has_value());
    return read.error();
}

const json& properties() {
    return dap::attach_schema()["properties"];
}

}  // namespace

TEST_CASE("attach arguments: the schema describes every attribute") {
    REQUIRE(properties().size() > 10);
    for (const auto& [name, property] : properties().items()) {
        CAPTURE(name);
        CHECK(property.value("description", "").size() > 10);
        CHECK(property.value("description", "").back() == '.');
    }
    for (const char* name : {"target", "job", "node", "sessions", "wait", "localRoot", "sources", "onDisconnect",
                             "holdFor", "tuneLatency", "postMortem", "allowTerminate", "token"})
        CHECK(properties().contains(name));
}

TEST_CASE("attach arguments: an attribute is not both described and forbidden") {
    std::set<std::string> forbidden;
    for (const json& name : dap::attach_schema()["x-forbidden"]) {
        CHECK(forbidden.insert(name.get<std::string>()).second);
        CHECK_FALSE(properties().contains(name.get<std::string>()));
    }
    // What debugpy would do more with than debug this worker (facts of debugpy).
    for (const char* name : {"processId", "debugpyArgs", "subProcessId", "listen", "host", "port", "noDebug"})
        CHECK(forbidden.contains(name));
}

TEST_CASE("attach arguments: defaults") {
    for (const json& nothing : {json(), json::object()}) {
        const AttachArguments read = accepted(nothing);
        CHECK_FALSE(read.target);
        CHECK_FALSE(read.wait);
        CHECK_FALSE(read.hold_for);
        CHECK_FALSE(read.resume_on_disconnect);
        CHECK(read.tune_latency);
        CHECK(read.post_mortem);
        CHECK_FALSE(read.allow_terminate);
        CHECK(read.all == json::object());
        CHECK_FALSE(read.worker.empty());
    }
}

TEST_CASE("attach arguments: defaults that the schema states are those in force") {
    const AttachArguments read = accepted(nullptr);
    CHECK(properties()["tuneLatency"]["default"] == read.tune_latency);
    CHECK(properties()["postMortem"]["default"] == read.post_mortem);
    CHECK(properties()["allowTerminate"]["default"] == read.allow_terminate);
    CHECK(properties()["justMyCode"]["default"] == read.worker["justMyCode"]);
    CHECK((properties()["onDisconnect"]["default"] == "resume") == read.resume_on_disconnect);
}

TEST_CASE("attach arguments: valid ones") {
    const AttachArguments read = accepted({{"target", "square"},
                                           {"job", "01000000"},
                                           {"node", "10.0.0.1"},
                                           {"sessions", "single"},
                                           {"wait", 30},
                                           {"localRoot", "/src"},
                                           {"sources", "path"},
                                           {"onDisconnect", "resume"},
                                           {"holdFor", 60},
                                           {"tuneLatency", false},
                                           {"postMortem", false},
                                           {"allowTerminate", true},
                                           {"token", "secret"},
                                           {"justMyCode", false},
                                           {"pathMappings", {{{"localRoot", "/a"}, {"remoteRoot", "/b"}}}},
                                           {"rules", {{{"path", "**"}, {"include", false}}}}});
    CHECK(read.target == "square");
    CHECK(read.wait == 30s);
    CHECK(read.hold_for == 60s);
    CHECK(read.resume_on_disconnect);
    CHECK_FALSE(read.tune_latency);
    CHECK_FALSE(read.post_mortem);
    CHECK(read.allow_terminate);
    CHECK(read.all["job"] == "01000000");

    accepted({{"localRoot", {{".", "/src"}, {"package", "/lib"}}}});
    accepted({{"sources", "auto"}, {"onDisconnect", "hold"}});
    accepted({{"pathMappings", json::array()}, {"rules", json::array()}, {"localRoot", json::object()}});
}

TEST_CASE("attach arguments: every attribute of a wrong type is refused by name") {
    const std::vector<std::pair<const char*, std::vector<json>>> wrong = {
        {"target", {true, json::array({"x"}), json::object(), ""}},
        {"job", {1, true, json::array(), json::object(), ""}},
        {"node", {1, false, json::array(), json::object(), ""}},
        {"sessions", {"all", "many", 1, true, json::array(), ""}},
        {"wait", {"5", true, -1, -0.5, json::array(), json::object(), 1e12}},
        {"localRoot", {1, true, json::array({"/src"}), {{".", 1}}, {{"package", nullptr}}}},
        {"sources", {"none", 1, true, json::array()}},
        {"onDisconnect", {"kill", 1, true, json::array()}},
        {"holdFor", {"5", true, -1, json::array(), json::object(), 1e12}},
        {"tuneLatency", {"true", 1, 0, json::array(), json::object()}},
        {"postMortem", {"true", 1, json::array()}},
        {"allowTerminate", {"false", 0, 1, json::array()}},
        {"takeOver", {"true", 1, json::array()}},
        {"child", {1, true, json::array(), json::object()}},
        {"token", {1, true, json::array(), json::object(), ""}},
        {"justMyCode", {"false", 0, json::array()}},
        {"pathMappings", {"/a:/b", json::object(), {1}, {{{"localRoot", 1}}}, {{{"remoteRoot", json::array()}}}}},
        {"rules", {"x", json::object(), {1}, {"**"}}},
    };
    std::set<std::string> tried = {"connect", "debugServer"};  // ignored, so anything goes
    for (const auto& [name, values] : wrong) {
        tried.insert(name);
        for (const json& value : values) {
            CAPTURE(name);
            CAPTURE(value.dump());
            const dap::Error error = refused({{name, value}, {"logToFile", true}});
            CHECK(error.code == ErrorCode::invalid_arguments);
            CHECK(error.message.find("\"" + std::string(name) + "\"") != std::string::npos);
            // It also says what is possible.
            CHECK(error.message.find(properties()[name].value("description", "?")) != std::string::npos);
            for (const json& allowed : properties()[name].value("enum", json::array()))
                CHECK(error.message.find(allowed.get<std::string>()) != std::string::npos);
        }
    }
    for (const auto& [name, property] : properties().items()) {
        CAPTURE(name);
        CHECK(tried.contains(name));
    }
}

TEST_CASE("attach arguments: a refused value that is not UTF-8 or very odd can still be told") {
    CHECK_NOTHROW(refused({{"wait", "\xFF\xFE"}}));
    CHECK_NOTHROW(refused({{"wait", {{"a]b", {{"[", "]"}}}}}}));
}

TEST_CASE("attach arguments: no object") {
    for (const json& arguments : {json(1), json("square"), json::array(), json::array({1}), json(true)}) {
        const dap::Error error = refused(arguments);
        CHECK(error.code == ErrorCode::invalid_arguments);
        CHECK(error.message.find("object") != std::string::npos);
    }
}

TEST_CASE("attach arguments: null counts as absent") {
    json nulls = json::object();
    for (const auto& [name, property] : properties().items())
        nulls[name] = nullptr;
    for (const json& name : dap::attach_schema()["x-forbidden"])
        nulls[name.get<std::string>()] = nullptr;
    nulls["logToFile"] = nullptr;
    const AttachArguments read = accepted(nulls);
    const AttachArguments defaults = accepted(nullptr);
    CHECK(read.all == defaults.all);
    CHECK(read.worker == defaults.worker);
    CHECK_FALSE(read.target);
    CHECK_FALSE(read.wait);
}

TEST_CASE("attach arguments: forbidden attributes are refused by name") {
    for (const json& name : dap::attach_schema()["x-forbidden"]) {
        for (const json& value : {json(1), json("x"), json(true), json::object(), json::array(), json(0), json("")}) {
            const dap::Error error = refused({{name.get<std::string>(), value}});
            CHECK(error.code == ErrorCode::forbidden_argument);
            CHECK(error.message.find("\"" + name.get<std::string>() + "\"") != std::string::npos);
        }
    }
}

TEST_CASE("attach arguments: false excuses noDebug alone, and goes no further") {
    // VS Code says `noDebug: false` on its own accord.
    CHECK_FALSE(accepted({{"noDebug", false}}).worker.contains("noDebug"));
    for (const json& name : dap::attach_schema()["x-forbidden"]) {
        CAPTURE(name);
        const dap::Result<AttachArguments> read = read_attach_arguments({{name.get<std::string>(), false}});
        // Python's False is the number 0: debugpy would look for, or inject into, a process of that number.
        if (read)
            CHECK_FALSE(read->worker.contains(name.get<std::string>()));
    }
}

TEST_CASE("attach arguments: where the client found the bridge is dropped") {
    const AttachArguments read =
        accepted({{"connect", {{"host", "10.0.0.9"}, {"port", 1}}}, {"debugServer", 5679}, {"logToFile", true}});
    CHECK_FALSE(read.worker.contains("connect"));
    CHECK_FALSE(read.worker.contains("debugServer"));
    CHECK(read.worker["logToFile"] == true);
}

TEST_CASE("attach arguments: unknown attributes go to debugpy as they are") {
    const json unknown = {{"type", "ray"},
                          {"name", "Attach"},
                          {"request", "attach"},
                          {"redirectOutput", false},
                          {"showReturnValue", true},
                          {"django", true},
                          {"__sessionId", "x"},
                          {"nested", {{"processId", 1}, {"none", nullptr}}},
                          {"Target", "capital letters make another name"}};
    const AttachArguments read = accepted(unknown);
    for (const auto& [name, value] : unknown.items())
        CHECK(read.worker[name] == value);
}

TEST_CASE("attach arguments: what the schema does not forward stays here") {
    const json all = {{"target", "square"},
                      {"job", "j"},
                      {"node", "n"},
                      {"sessions", "single"},
                      {"wait", 1},
                      {"localRoot", "/src"},
                      {"sources", "auto"},
                      {"holdFor", 1},
                      {"onDisconnect", "hold"},
                      {"tuneLatency", true},
                      {"postMortem", true},
                      {"allowTerminate", false},
                      {"takeOver", true},
                      {"child", "c"},
                      {"token", "secret"},
                      {"connect", {{"a", 1}}},
                      {"debugServer", 1},
                      {"justMyCode", false},
                      {"rules", json::array({json::object()})},
                      {"pathMappings", json::array()}};
    const AttachArguments read = accepted(all);
    for (const auto& [name, property] : properties().items()) {
        CAPTURE(name);
        REQUIRE(all.contains(name));
        const bool forwarded = property.value("x-forward", false);
        CHECK(read.worker.contains(name) == forwarded);
        if (forwarded)
            CHECK(read.worker[name] == all[name]);
    }
    CHECK(read.worker.dump().find("secret") == std::string::npos);
}

TEST_CASE("attach arguments: debugpy's are never empty") {
    CHECK(accepted(nullptr).worker == json{{"justMyCode", true}});
    CHECK(accepted({{"target", "x"}}).worker == json{{"justMyCode", true}});
    CHECK(accepted({{"noDebug", false}, {"connect", 1}}).worker == json{{"justMyCode", true}});
    CHECK(accepted({{"justMyCode", false}}).worker == json{{"justMyCode", false}});
}

TEST_CASE("attach arguments: a target given as a number is text from then on") {
    const AttachArguments read = accepted({{"target", 4711}});
    CHECK(read.target == "4711");
    CHECK(read.all["target"] == "4711");
    CHECK(accepted({{"target", "4711"}}).target == "4711");
    CHECK(accepted({{"target", INT64_MAX}}).target == "9223372036854775807");
    CHECK(accepted({{"target", UINT64_MAX}}).target == "18446744073709551615");
}

TEST_CASE("attach arguments: a fraction as target is refused, or means its number, but never nothing") {
    for (const double value : {1.0, 1.5, 4711.0}) {
        const dap::Result<AttachArguments> read = read_attach_arguments({{"target", value}});
        CHECK((!read || read->target.has_value()));
    }
}

TEST_CASE("attach arguments: seconds") {
    CHECK(accepted({{"wait", 0}}).wait == 0ms);
    CHECK(accepted({{"wait", 0.0}}).wait == 0ms);
    CHECK(accepted({{"wait", 1.5}}).wait == 1500ms);
    CHECK(accepted({{"wait", 31536000}}).wait == 8760h);
    CHECK(accepted({{"holdFor", 0.25}}).hold_for == 250ms);
    CHECK(accepted({{"holdFor", 0}}).hold_for == 0ms);
    refused({{"wait", 31536001}});
}

TEST_CASE("attach arguments: same_secret") {
    CHECK(dap::same_secret("secret", "secret"));
    CHECK(dap::same_secret("", ""));
    for (const std::string given : {"", "s", "secre", "secretx", "Secret", "secreT", "secretsecret", " secret"}) {
        CAPTURE(given);
        CHECK_FALSE(dap::same_secret("secret", given));
    }
    CHECK_FALSE(dap::same_secret("", "x"));
    CHECK_FALSE(dap::same_secret("", std::string(1, '\0')));
    CHECK_FALSE(dap::same_secret("secret", std::string("secret\0", 7)));
    CHECK_FALSE(dap::same_secret("aaaa", "aaaaaaaa"));
    CHECK(dap::same_secret("\xFF\x80", "\xFF\x80"));
}

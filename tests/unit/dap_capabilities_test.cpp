#include <doctest/doctest.h>

#include "dap/capabilities.hpp"

using dap::corrected_capabilities;
using dap::fixed_capabilities;
using nlohmann::json;

namespace {

/// What debugpy 1.8.22 answers: the fixed set without what the bridge decides.
json debugpy_capabilities() {
    json worker = fixed_capabilities();
    for (const char* ours : {"supportTerminateDebuggee", "supportSuspendDebuggee", "supportsCancelRequest"})
        worker.erase(ours);
    worker["supportsTerminateDebuggee"] = true;  // debugpy's spelling
    worker["supportsTerminateRequest"] = true;
    return worker;
}

}  // namespace

TEST_CASE("capabilities: terminate is not offered, the choice at disconnect is") {
    const json& fixed = fixed_capabilities();
    CHECK_FALSE(fixed.contains("supportsTerminateRequest"));
    CHECK_FALSE(fixed.contains("supportsTerminateDebuggee"));
    CHECK_FALSE(fixed.contains("supportsRestartRequest"));
    // VS Code tells a closed window from a Disconnect only where both are offered (facts of clients).
    CHECK(fixed["supportTerminateDebuggee"] == true);
    CHECK(fixed["supportSuspendDebuggee"] == true);
    CHECK(fixed["supportsConfigurationDoneRequest"] == true);
    CHECK(fixed["supportsCancelRequest"] == true);
}

TEST_CASE("capabilities: the exception filters are debugpy's") {
    const json& filters = fixed_capabilities()["exceptionBreakpointFilters"];
    REQUIRE(filters.size() == 3);
    CHECK(filters[0]["filter"] == "raised");
    CHECK(filters[1]["filter"] == "uncaught");
    CHECK(filters[1]["default"] == true);
    CHECK(filters[2]["filter"] == "userUnhandled");
    for (const json& filter : filters) {
        CHECK(filter["label"].is_string());
        CHECK(filter["description"].is_string());
    }
}

TEST_CASE("capabilities: nothing to correct for the recorded debugpy") {
    CHECK(corrected_capabilities(debugpy_capabilities()).is_null());
    CHECK(corrected_capabilities(fixed_capabilities()).is_null());
    CHECK(corrected_capabilities(nullptr).is_null());
    CHECK(corrected_capabilities("text").is_null());
}

TEST_CASE("capabilities: what the worker can more, less or otherwise is told") {
    json worker = debugpy_capabilities();
    worker["supportsReadMemoryRequest"] = true;
    worker.erase("supportsLogPoints");
    worker["supportsModulesRequest"] = false;
    worker["exceptionBreakpointFilters"].erase(2);
    const json corrected = corrected_capabilities(worker);
    CHECK(corrected.size() == 4);
    CHECK(corrected["supportsReadMemoryRequest"] == true);
    CHECK(corrected["supportsLogPoints"] == false);
    CHECK(corrected["supportsModulesRequest"] == false);
    CHECK(corrected["exceptionBreakpointFilters"].size() == 2);
}

TEST_CASE("capabilities: what the bridge decides stays, whatever the worker says") {
    json worker = debugpy_capabilities();
    worker["supportTerminateDebuggee"] = false;
    worker["supportSuspendDebuggee"] = false;
    worker["supportsRestartRequest"] = true;
    worker["supportsCancelRequest"] = false;
    CHECK(corrected_capabilities(worker).is_null());
    // A worker that offers nothing: all is taken back, but for what is ours.
    const json corrected = corrected_capabilities(json::object());
    CHECK(corrected["supportsLogPoints"] == false);
    CHECK_FALSE(corrected.contains("supportTerminateDebuggee"));
    CHECK_FALSE(corrected.contains("supportSuspendDebuggee"));
    CHECK_FALSE(corrected.contains("supportsCancelRequest"));
}

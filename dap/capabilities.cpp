#include "dap/capabilities.hpp"

namespace dap {

namespace {

// Decided by the bridge, whatever debugpy answers. debugpy spells the second one its own way.
bool is_ours(const std::string& name) {
    return name == "supportTerminateDebuggee" || name == "supportsTerminateDebuggee" ||
           name == "supportSuspendDebuggee" || name == "supportsTerminateRequest" || name == "supportsRestartRequest" ||
           name == "supportsCancelRequest";
}

}  // namespace

const nlohmann::json& fixed_capabilities() {
    static const nlohmann::json capabilities = [] {
        nlohmann::json result = {
            {"exceptionBreakpointFilters",
             {{{"filter", "raised"},
               {"label", "Raised Exceptions"},
               {"default", false},
               {"description", "Break whenever any exception is raised."}},
              {{"filter", "uncaught"},
               {"label", "Uncaught Exceptions"},
               {"default", true},
               {"description", "Break when the process is exiting due to unhandled exception."}},
              {{"filter", "userUnhandled"},
               {"label", "User Uncaught Exceptions"},
               {"default", false},
               {"description", "Break when exception escapes into library code."}}}},
        };
        for (const char* name : {"supportsCompletionsRequest",
                                 "supportsConditionalBreakpoints",
                                 "supportsConfigurationDoneRequest",
                                 "supportsDebuggerProperties",
                                 "supportsDelayedStackTraceLoading",
                                 "supportsEvaluateForHovers",
                                 "supportsExceptionInfoRequest",
                                 "supportsExceptionOptions",
                                 "supportsFunctionBreakpoints",
                                 "supportsHitConditionalBreakpoints",
                                 "supportsLogPoints",
                                 "supportsModulesRequest",
                                 "supportsSetExpression",
                                 "supportsSetVariable",
                                 "supportsValueFormattingOptions",
                                 "supportsGotoTargetsRequest",
                                 "supportsClipboardContext",
                                 "supportsStepInTargetsRequest",
                                 "supportTerminateDebuggee",
                                 "supportSuspendDebuggee",
                                 "supportsCancelRequest"})
            result[name] = true;
        return result;
    }();
    return capabilities;
}

nlohmann::json corrected_capabilities(const nlohmann::json& worker) {
    nlohmann::json result;
    if (!worker.is_object())
        return result;
    const nlohmann::json& fixed = fixed_capabilities();
    for (const auto& [name, value] : worker.items()) {
        const auto known = fixed.find(name);
        if (!is_ours(name) && (known == fixed.end() || *known != value))
            result[name] = value;
    }
    for (const auto& [name, value] : fixed.items()) {
        if (!is_ours(name) && value.is_boolean() && !worker.contains(name))
            result[name] = false;
    }
    return result;
}

}  // namespace dap

#include "dap/merged_ids.hpp"

#include <optional>
#include <string>

namespace dap {

namespace {

using Kind = MergedIds::Kind;

/// What a member of this name is, wherever it stands.
std::optional<Kind> kind_of_member(std::string_view name) {
    if (name == "threadId")
        return Kind::thread;
    if (name == "frameId" || name == "stackFrameId")
        return Kind::frame;
    if (name == "variablesReference")
        return Kind::variable;
    if (name == "sourceReference")
        return Kind::source;
    if (name == "moduleId")
        return Kind::module;
    return std::nullopt;
}

/// What the `id` of an element is, by the name of the message and of the list (or member) it stands in.
std::optional<Kind> kind_of_element(std::string_view message, std::string_view list) {
    if (list == "threads")
        return Kind::thread;
    if (list == "stackFrames")
        return Kind::frame;
    if (list == "modules" || list == "module")
        return Kind::module;
    if (list == "targets" && message == "stepInTargets")
        return Kind::step_in_target;
    if (list == "targets" && message == "gotoTargets")
        return Kind::goto_target;
    return std::nullopt;
}

/// What is opaque to us: it goes back to where it came from, or nowhere.
bool is_opaque(std::string_view name) {
    return name == "adapterData" || name == "data" || name == "restart";
}

const char* what(Kind kind) {
    switch (kind) {
        case Kind::thread:
            return "thread";
        case Kind::frame:
            return "stack frame";
        case Kind::variable:
            return "variable";
        case Kind::source:
            return "source";
        case Kind::module:
            return "module";
        case Kind::step_in_target:
            return "step-in target";
        case Kind::goto_target:
            return "goto target";
    }
    return "object";
}

}  // namespace

void MergedIds::to_client(int worker, std::string_view name, nlohmann::json& body) {
    rewrite(worker, name, "", body);
}

void MergedIds::rewrite(int worker, std::string_view name, std::string_view list, nlohmann::json& value) {
    if (value.is_array()) {
        for (nlohmann::json& element : value)
            rewrite(worker, name, list, element);
        return;
    }
    if (!value.is_object())
        return;
    for (const auto& [key, each] : value.items()) {
        if (each.is_structured()) {
            if (!is_opaque(key))
                rewrite(worker, name, key, each);
            continue;
        }
        const std::optional<Kind> kind = key == "id" ? kind_of_element(name, list) : kind_of_member(key);
        if (!kind || !each.is_number_integer())
            continue;
        // Zero says "none" for references (DAP: Variable, Source).
        const auto id = each.get<std::int64_t>();
        const bool none = id == 0 && (*kind == Kind::variable || *kind == Kind::source);
        if (!none)
            each = to_client(*kind, worker, id);
    }
}

Result<int> MergedIds::to_worker(std::string_view command, nlohmann::json& arguments) const {
    if (!arguments.is_object())
        return 0;
    int worker = 0;
    Result<int> result = 0;
    const auto take = [&](Kind kind, nlohmann::json& value) {
        if (!value.is_number_integer() || !result)
            return;
        const auto id = value.get<std::int64_t>();
        if (id == 0 && (kind == Kind::variable || kind == Kind::source))
            return;
        const std::optional<IdMap::Local> local = map(kind).to_worker(id);
        if (!local)
            result =
                Error{ErrorCode::invalid_request, "There is no " + std::string(what(kind)) + " " + std::to_string(id) +
                                                      ": its worker ended or ran on meanwhile."};
        else if (worker != 0 && worker != local->worker)
            result = Error{ErrorCode::invalid_request,
                           "The " + std::string(what(kind)) + " " + std::to_string(id) + " belongs to another worker."};
        else {
            worker = local->worker;
            value = local->id;
        }
    };
    for (const auto& [key, value] : arguments.items()) {
        if (const std::optional<Kind> kind = kind_of_member(key))
            take(*kind, value);
        else if (key == "targetId")
            take(command == "goto" ? Kind::goto_target : Kind::step_in_target, value);
        else if (key == "source" && value.contains("sourceReference"))
            take(Kind::source, value["sourceReference"]);
    }
    if (!result)
        return result;
    return worker;
}

void MergedIds::forget_stop(int worker) {
    for (const Kind kind : {Kind::frame, Kind::variable, Kind::step_in_target})
        map(kind).forget(worker);
}

void MergedIds::forget(int worker) {
    for (IdMap& each : m_maps)
        each.forget(worker);
}

}  // namespace dap

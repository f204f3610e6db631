#include "discovery/target.hpp"

#include <nlohmann/json.hpp>

#include "discovery/fields.hpp"

namespace discovery {
namespace {

nlohmann::json or_null(const std::string& text) {
    return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

}  // namespace

const char* to_string(TargetKind kind) {
    switch (kind) {
        case TargetKind::task:
            return "task";
        case TargetKind::actor:
            return "actor";
        case TargetKind::driver:
            return "driver";
        case TargetKind::worker:
            break;
    }
    return "worker";
}

nlohmann::json to_json(const Target& target) {
    return {{"target", target.target},
            {"kind", to_string(target.kind)},
            {"name", or_null(target.name)},
            {"task_id", or_null(target.task_id)},
            {"actor_id", or_null(target.actor_id)},
            {"actor_name", or_null(target.actor_name)},
            {"job_id", or_null(target.job_id)},
            {"submission_id", or_null(target.submission_id)},
            {"node_id", or_null(target.node_id)},
            {"ip", or_null(target.ip)},
            {"port", target.port},
            {"pid", target.pid},
            {"state", or_null(target.state)},
            {"paused_threads", target.paused_threads}};
}

Target from_json(const nlohmann::json& row) {
    Target target;
    if (!row.is_object())
        return target;
    target.target = string_field(row, "target");
    const std::string kind = string_field(row, "kind");
    for (const TargetKind each : {TargetKind::task, TargetKind::actor, TargetKind::driver})
        if (kind == to_string(each))
            target.kind = each;
    target.name = string_field(row, "name");
    target.task_id = string_field(row, "task_id");
    target.actor_id = string_field(row, "actor_id");
    target.actor_name = string_field(row, "actor_name");
    target.job_id = string_field(row, "job_id");
    target.submission_id = string_field(row, "submission_id");
    target.node_id = string_field(row, "node_id");
    target.ip = string_field(row, "ip");
    const std::int64_t port = integer_field(row, "port");
    target.port = port > 0 && port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
    target.pid = integer_field(row, "pid");
    target.state = string_field(row, "state");
    target.paused_threads = integer_field(row, "paused_threads");
    return target;
}

}  // namespace discovery

#include "discovery/rows.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "discovery/fields.hpp"
#include "discovery/text.hpp"

namespace discovery {
namespace {

using nlohmann::json;

/// Skips fields that make up most of an answer of thousands of rows.
bool keep(int, json::parse_event_t event, json& parsed) {
    static constexpr std::array<std::string_view, 10> unread = {
        "runtime_env_info", "events",    "profiling_data", "task_log_info", "required_resources",
        "label_selector",   "call_site", "exit_detail",    "runtime_env",   "error_message"};
    if (event != json::parse_event_t::key)
        return true;
    const auto& key = parsed.get_ref<const std::string&>();
    return std::find(unread.begin(), unread.end(), key) == unread.end();
}

/// `data.result` of a state API answer.
Outcome<const json*, std::string> envelope(const json& document) {
    const std::string shape = "it is JSON, but not what Ray's state API answers";
    if (!document.is_object())
        return shape;
    const auto data = document.find("data");
    if (data == document.end() || !data->is_object())
        return shape;
    const auto result = data->find("result");
    if (result == data->end() || !result->is_object())
        return shape;
    const auto rows = result->find("result");
    if (rows == result->end() || !rows->is_array())
        return shape;
    return &*result;
}

/// Reads every row with `read`, which gives nothing for a row to skip and sets `broken` for one that is wrong.
template <class Row, class Read>
Outcome<Rows<Row>, std::string> read_list(const json& document, const char* what, Read read) {
    const auto result = envelope(document);
    if (!result)
        return result.error();
    const json& list = **result;
    Rows<Row> out;
    std::size_t broken_rows = 0;
    const json& rows = list.at("result");
    for (const json& row : rows) {
        bool broken = !row.is_object();
        std::optional<Row> value;
        if (!broken)
            value = read(row, broken);
        if (broken)
            ++broken_rows;
        else if (value)
            out.rows.push_back(std::move(*value));
    }
    if (broken_rows > 0)
        out.warnings.push_back("The dashboard's list of " + std::string(what) + " holds " +
                               std::to_string(broken_rows) + " rows that make no sense; they are left out.");
    if (const std::string failure = string_field(list, "partial_failure_warning"); !failure.empty()) {
        out.complete = false;
        out.warnings.push_back("The dashboard's list of " + std::string(what) +
                               " is incomplete: " + shortened(failure, 300));
    }
    if (const auto warnings = list.find("warnings"); warnings != list.end() && warnings->is_array())
        for (const json& warning : *warnings)
            if (warning.is_string())
                out.warnings.push_back("The dashboard warns about its list of " + std::string(what) + ": " +
                                       shortened(warning.get<std::string>(), 300));
    const auto limit = static_cast<std::int64_t>(state_api_limit);
    if (integer_field(list, "num_after_truncation") >= limit ||
        integer_field(list, "num_filtered") > static_cast<std::int64_t>(rows.size())) {
        out.complete = false;
        out.warnings.push_back("The dashboard lists only " + std::to_string(state_api_limit) + " " + std::string(what) +
                               " at a time; some may be missing.");
    }
    return out;
}

std::string without_brackets(std::string ip) {
    if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']')
        return ip.substr(1, ip.size() - 2);
    return ip;
}

bool any_wrong_type(const json& row, std::initializer_list<const char*> keys, json::value_t type) {
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return wrong_type(row, key, type); });
}

}  // namespace

Outcome<json, std::string> parse_document(const std::string& body) {
    json document = json::parse(body, keep, false);
    if (!document.is_discarded())
        return document;
    try {
        return json::parse(replace_lone_surrogates(replace_invalid_utf8(body)), keep);
    } catch (const json::exception& error) {
        return "it is not JSON (" + shortened(error.what(), 200) + ")";
    }
}

Outcome<Rows<WorkerRow>, std::string> read_workers(const json& document, bool listening) {
    return read_list<WorkerRow>(document, "workers", [&](const json& row, bool& broken) -> std::optional<WorkerRow> {
        WorkerRow worker;
        worker.worker_id = string_field(row, "worker_id");
        worker.ip = without_brackets(string_field(row, "ip"));
        worker.node_id = string_field(row, "node_id");
        worker.driver = string_field(row, "worker_type") == "DRIVER";
        worker.pid = integer_field(row, "pid");
        worker.paused_threads = integer_field(row, "num_paused_threads");
        const std::int64_t port = integer_field(row, "debugger_port");
        broken = any_wrong_type(row, {"debugger_port", "num_paused_threads", "pid"}, json::value_t::number_integer) ||
                 wrong_type(row, "is_alive", json::value_t::boolean);
        // A killed worker keeps its paused threads; only is_alive tells (seen on 2.60).
        const auto alive = row.find("is_alive");
        if (broken || alive == row.end() || !alive->is_boolean() || !alive->get<bool>())
            return std::nullopt;
        if (worker.paused_threads <= 0 && (!listening || port == 0))
            return std::nullopt;
        broken = worker.worker_id.empty() || worker.ip.empty() || port <= 0 || port > 65535;
        if (broken)
            return std::nullopt;
        worker.paused_threads = std::max<std::int64_t>(worker.paused_threads, 0);
        worker.port = static_cast<std::uint16_t>(port);
        return worker;
    });
}

Outcome<Rows<TaskRow>, std::string> read_tasks(const json& document) {
    auto tasks = read_list<TaskRow>(document, "tasks", [](const json& row, bool& broken) -> std::optional<TaskRow> {
        TaskRow task;
        task.task_id = string_field(row, "task_id");
        task.worker_id = string_field(row, "worker_id");
        task.function = string_field(row, "func_or_class_name");
        task.name = string_field(row, "name");
        task.actor_id = string_field(row, "actor_id");
        task.creation = string_field(row, "type") == "ACTOR_CREATION_TASK";
        task.job_id = string_field(row, "job_id");
        task.attempt = integer_field(row, "attempt_number");
        task.started = integer_field(row, "start_time_ms");
        task.created = integer_field(row, "creation_time_ms");
        broken = any_wrong_type(row, {"task_id", "worker_id", "name", "func_or_class_name", "actor_id", "state"},
                                json::value_t::string);
        if (broken || string_field(row, "state") != "RUNNING" || task.worker_id.empty())
            return std::nullopt;
        if (task.name.empty())
            task.name = task.function;
        if (task.function.empty())
            task.function = task.name;
        return task.name.empty() ? std::nullopt : std::optional(task);
    });
    if (tasks) {
        const json& list = **envelope(document);
        if (integer_field(list, "total") > integer_field(list, "num_after_truncation"))
            tasks->complete = false;
    }
    return tasks;
}

Outcome<Rows<ActorRow>, std::string> read_actors(const json& document) {
    return read_list<ActorRow>(document, "actors", [](const json& row, bool& broken) -> std::optional<ActorRow> {
        ActorRow actor{string_field(row, "actor_id"), string_field(row, "name")};
        broken = actor.actor_id.empty() || wrong_type(row, "name", json::value_t::string);
        return actor;
    });
}

Outcome<std::vector<JobRow>, std::string> read_jobs(const json& document) {
    if (!document.is_array())
        return std::string("it is JSON, but not what Ray's jobs API answers");
    std::vector<JobRow> jobs;
    for (const json& row : document) {
        if (!row.is_object())
            continue;
        JobRow job{string_field(row, "job_id"), string_field(row, "submission_id"), string_field(row, "entrypoint")};
        const auto driver = row.find("driver_info");
        if (job.job_id.empty() && driver != row.end() && driver->is_object())
            job.job_id = string_field(*driver, "id");
        if (!job.job_id.empty())
            jobs.push_back(std::move(job));
    }
    return jobs;
}

}  // namespace discovery

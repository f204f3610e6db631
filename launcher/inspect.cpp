// `stack`, `eval` and `continue`: a short single session with each worker, which is left as the command's purpose
// wants.
#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <set>

#include <fmt/format.h>

#include "dap/message.hpp"
#include "launcher/grouped.hpp"
#include "launcher/listing.hpp"

namespace launcher {

namespace {

using std::chrono::milliseconds;

// debugpy tells of a stop right after `attach` is answered; a busy interpreter takes its time.
constexpr milliseconds stop_within{5000};
constexpr int most_frames = 200;

/// One worker, attached.
struct Inspection {
    discovery::Target target;
    std::unique_ptr<dap::Client> client;
    std::map<std::int64_t, std::string> reasons;  ///< of stopped threads that told of their stop
    bool all_stopped = false;
};

std::int64_t number(const nlohmann::json& value) {
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

std::string text(const nlohmann::json& value) {
    return value.is_string() ? value.get<std::string>() : "";
}

void note_stop(Inspection& inspection, const nlohmann::json& stopped) {
    inspection.reasons[number(dap::member(stopped, "threadId"))] = text(dap::member(stopped, "reason"));
    inspection.all_stopped = inspection.all_stopped || dap::member(stopped, "allThreadsStopped") == true;
}

dap::Result<Inspection> attach(const BridgeAccess& access, const discovery::Target& target) {
    auto client = access.connect();
    if (!client)
        return client.error();
    Inspection inspection{target, std::move(*client), {}, false};
    nlohmann::json arguments = {{"target", target.target}, {"wait", 0}, {"sources", "path"}};
    if (!access.token().empty())
        arguments["token"] = access.token();
    dap::Client& bridge = *inspection.client;
    const std::int64_t attach_seq = bridge.send("attach", arguments);
    if (const auto ready = bridge.event("initialized", dap::Client::patience, attach_seq); !ready)
        return ready.error();
    if (const auto done = bridge.request("configurationDone"); !done)
        return done.error();
    if (const auto attached = bridge.response(attach_seq); !attached)
        return attached.error();
    const bool was_running = target.state == "listening" || (target.state == "held" && target.paused_threads == 0);
    const auto stopped = bridge.event("stopped", was_running ? milliseconds(0) : stop_within);
    if (stopped)
        note_stop(inspection, *stopped);
    else if (!was_running)
        return dap::Error{dap::ErrorCode::timed_out,
                          label(target) + " did not stop (" + stopped.error().message + ")."};
    return inspection;
}

void leave(Inspection& inspection, bool hold) {
    const nlohmann::json arguments =
        hold ? nlohmann::json{{"suspendDebuggee", true}} : nlohmann::json{{"terminateDebuggee", false}};
    if (const auto left = inspection.client->request("disconnect", arguments); !left)
        fmt::print(stderr, "ray-dap: {}: {}\n", label(inspection.target), left.error().message);
}

nlohmann::json locals_of(dap::Client& client, const nlohmann::json& frame) {
    nlohmann::json locals = nlohmann::json::array();
    const auto scopes = client.request("scopes", {{"frameId", number(dap::member(frame, "id"))}});
    if (!scopes)
        return locals;
    for (const nlohmann::json& scope : dap::member(*scopes, "scopes")) {
        if (dap::member(scope, "name") != "Locals" && dap::member(scope, "presentationHint") != "locals")
            continue;
        const auto variables =
            client.request("variables", {{"variablesReference", number(dap::member(scope, "variablesReference"))}});
        if (!variables)
            continue;
        for (const nlohmann::json& variable : dap::member(*variables, "variables")) {
            // debugpy's own groups ("special variables") have no value of their own.
            const std::string name = text(dap::member(variable, "name"));
            if (name.ends_with(" variables") && text(dap::member(variable, "type")).empty())
                continue;
            locals.push_back({{"name", name},
                              {"value", text(dap::member(variable, "value"))},
                              {"type", text(dap::member(variable, "type"))}});
        }
    }
    return locals;
}

nlohmann::json frames_of(dap::Client& client, std::int64_t thread, const nlohmann::json& label, bool with_locals) {
    nlohmann::json frames = nlohmann::json::array();
    const auto stack = client.request("stackTrace", {{"threadId", thread}, {"levels", most_frames}});
    if (!stack) {
        fmt::print(stderr, "ray-dap: {}: {}\n", text(label), stack.error().message);
        return frames;
    }
    for (const nlohmann::json& frame : dap::member(*stack, "stackFrames")) {
        nlohmann::json row = {{"id", number(dap::member(frame, "id"))},
                              {"name", text(dap::member(frame, "name"))},
                              {"file", text(dap::member(dap::member(frame, "source"), "path"))},
                              {"line", number(dap::member(frame, "line"))}};
        if (with_locals && frames.empty())
            row["locals"] = locals_of(client, frame);
        frames.push_back(std::move(row));
    }
    return frames;
}

nlohmann::json stack_of(Inspection& inspection, bool with_locals) {
    dap::Client& client = *inspection.client;
    nlohmann::json threads = nlohmann::json::array();
    const auto listed = client.request("threads");
    // Siblings may have told of their stops meanwhile.
    for (nlohmann::json stopped = client.take_event("stopped"); !stopped.is_null();
         stopped = client.take_event("stopped"))
        note_stop(inspection, stopped);
    const nlohmann::json body = listed ? *listed : nlohmann::json();
    for (const nlohmann::json& thread : dap::member(body, "threads")) {
        const std::int64_t id = number(dap::member(thread, "id"));
        const auto reason = inspection.reasons.find(id);
        const bool told = reason != inspection.reasons.end();
        nlohmann::json row = {{"id", id}, {"name", text(dap::member(thread, "name"))}};
        row["frames"] = told || inspection.all_stopped ? frames_of(client, id, label(inspection.target), with_locals)
                                                       : nlohmann::json::array();
        // `allThreadsStopped` covers threads that never run Python code again (Ray's own); those show no frames.
        row["stopped"] = told || !row["frames"].empty();
        row["reason"] = told ? nlohmann::json(reason->second) : nlohmann::json();
        threads.push_back(std::move(row));
    }
    return {{"target", inspection.target.target},
            {"name", inspection.target.name},
            {"ip", inspection.target.ip},
            {"pid", inspection.target.pid},
            {"threads", std::move(threads)}};
}

nlohmann::json value_of(Inspection& inspection, const std::string& expression) {
    nlohmann::json row = {{"target", inspection.target.target},
                          {"name", inspection.target.name},
                          {"value", nullptr},
                          {"type", nullptr},
                          {"error", nullptr}};
    nlohmann::json arguments = {{"expression", expression}, {"context", "repl"}};
    if (!inspection.reasons.empty()) {
        const auto stack =
            inspection.client->request("stackTrace", {{"threadId", inspection.reasons.begin()->first}, {"levels", 1}});
        if (stack && !dap::member(*stack, "stackFrames").empty())
            arguments["frameId"] = dap::member(*stack, "stackFrames")[0]["id"];
    }
    const auto value = inspection.client->request("evaluate", arguments);
    if (value) {
        row["value"] = text(dap::member(*value, "result"));
        row["type"] = text(dap::member(*value, "type"));
    } else {
        row["error"] = dap::last_line(value.error().message);
    }
    return row;
}

void print_stack(const nlohmann::json& row, const std::string& name) {
    fmt::print("{}\n", name);
    for (const nlohmann::json& thread : row["threads"]) {
        const std::string reason = text(thread["reason"]);
        fmt::print("  {} ({})\n", text(thread["name"]),
                   thread["stopped"] == true ? (reason.empty() ? "stopped" : "stopped: " + reason) : "running");
        for (const nlohmann::json& frame : thread["frames"]) {
            fmt::print("    {}  {}:{}\n", text(frame["name"]), text(frame["file"]), frame["line"].dump());
            for (const nlohmann::json& local : dap::member(frame, "locals"))
                fmt::print("      {} = {}\n", text(local["name"]), text(local["value"]));
        }
    }
}

/// What came of one worker.
struct Outcome {
    nlohmann::json row;
    std::optional<dap::Error> error;
};

using Act = std::function<nlohmann::json(Inspection&)>;

Outcome inspect(const BridgeAccess& access, const discovery::Target& target, bool hold, const Act& act) {
    dap::Result<Inspection> inspection = attach(access, target);
    if (!inspection)
        return {nullptr, inspection.error()};
    Outcome outcome{act(*inspection), std::nullopt};
    leave(*inspection, hold);
    return outcome;
}

/// Attaches to the picked workers, several at once, acts on each, and hands the rows to `print` in the order of the
/// list. Workers that another session has are passed over where no TARGET names them. With `one_at_most`, several are
/// an error.
int for_each_target(const Options& options, bool hold, bool one_at_most, const Act& act,
                    const std::function<bool(const nlohmann::json&, const discovery::Target&)>& print) {
    // Each mostly waits: debugpy takes half a second to say that a running thread (Ray has one) is not stopped.
    constexpr std::size_t at_once = 64;
    const dap::Result<BridgeAccess> access = BridgeAccess::open(options);
    if (!access)
        return fail(access.error());
    const auto targets = pick_targets(*access, options);
    if (!targets)
        return fail(targets.error());
    if (one_at_most && targets->size() > 1)
        return fail({dap::ErrorCode::ambiguous_target,
                     "Several workers are paused; name one or say --all:\n" + list_candidates(*targets)});
    int status = exit_done;
    for (std::size_t first = 0; first < targets->size(); first += at_once) {
        const std::size_t last = std::min(targets->size(), first + at_once);
        std::vector<std::future<Outcome>> outcomes;
        for (std::size_t i = first; i < last; ++i)
            outcomes.push_back(std::async(std::launch::async, inspect, std::cref(*access), std::cref((*targets)[i]),
                                          hold, std::cref(act)));
        for (std::size_t i = first; i < last; ++i) {
            const Outcome outcome = outcomes[i - first].get();
            if (!outcome.error) {
                if (!print(outcome.row, (*targets)[i]))
                    status = exit_failed;
                continue;
            }
            const int failed = fail(*outcome.error);
            const bool passed_over =
                options.targets.empty() && outcome.error->code == dap::ErrorCode::target_in_session;
            if (!passed_over)
                status = failed == exit_nothing_paused ? exit_failed : failed;
        }
    }
    return status;
}

/// Rows of the workers that answered, in the order of the list.
struct Answers {
    nlohmann::json rows = nlohmann::json::array();
    std::vector<discovery::Target> targets;  ///< of each row

    void add(const nlohmann::json& row, const discovery::Target& target) {
        rows.push_back(row);
        targets.push_back(target);
    }
};

using PrintGroups = void (*)(const nlohmann::json&, const std::vector<discovery::Target>&, bool as_json);

/// Prints what is due once all have answered.
int print_answers(const Options& options, int status, const Answers& answers, PrintGroups print_groups) {
    if (status != exit_done && answers.rows.empty())
        return status;
    if (options.group)
        print_groups(answers.rows, answers.targets, options.json);
    else if (options.json)
        fmt::print("{}\n", answers.rows.dump());
    return status;
}

}  // namespace

int run_stack(const Options& options) {
    Answers answers;
    const bool with_locals = !options.group;  // they take two requests a thread
    const int status = for_each_target(
        options, true, false, [&](Inspection& inspection) { return stack_of(inspection, with_locals); },
        [&](const nlohmann::json& row, const discovery::Target& target) {
            if (!options.json && !options.group)
                print_stack(row, label(target));
            answers.add(row, target);
            return true;
        });
    return print_answers(options, status, answers, print_grouped_stacks);
}

int run_eval(const Options& options) {
    Answers answers;
    const bool print_each = !options.json && !options.group;
    const int status = for_each_target(
        options, true, false, [&](Inspection& inspection) { return value_of(inspection, options.expression); },
        [&](const nlohmann::json& row, const discovery::Target& target) {
            const bool failed = !row["error"].is_null();
            if (print_each && failed)
                fmt::print(stderr, "ray-dap: {}: {}\n", label(target), text(row["error"]));
            else if (print_each)
                fmt::print("{}: {}\n", label(target), text(row["value"]));
            answers.add(row, target);
            return !failed;
        });
    return print_answers(options, status, answers, print_grouped_values);
}

int run_continue(const Options& options) {
    // One command must not resume what its author did not think of.
    const bool one_at_most = options.targets.empty() && !options.all;
    return for_each_target(
        options, false, one_at_most, [](Inspection&) { return nlohmann::json(); },
        [](const nlohmann::json&, const discovery::Target& target) {
            fmt::print(stderr, "resumed {}\n", label(target));
            return true;
        });
}

}  // namespace launcher

#include "dap/everywhere.hpp"

#include <memory>

#include <spdlog/fmt/fmt.h>

#include "dap/gather.hpp"
#include "dap/grouping.hpp"
#include "dap/message.hpp"

namespace dap {

namespace {

constexpr std::chrono::milliseconds answer_within{10000};
constexpr std::string_view prefix = "@all ";
constexpr std::size_t most_names = 5;

struct Answers {
    std::vector<std::string> names;
    std::vector<std::string> values;
    std::vector<std::string> errors;  ///< empty where there is a value
};

std::string names_of(const Answers& answers, const Group& group) {
    std::string text;
    for (std::size_t i = 0; i < group.size() && i < most_names; ++i)
        text += (i == 0 ? "" : ", ") + answers.names[group[i]];
    if (group.size() > most_names)
        text += fmt::format(" and {} more", group.size() - most_names);
    return text;
}

std::string format(const Answers& answers) {
    std::vector<std::string> keys;
    bool all_values = true;
    for (std::size_t i = 0; i < answers.names.size(); ++i) {
        all_values = all_values && answers.errors[i].empty();
        keys.push_back(answers.errors[i].empty() ? "= " + answers.values[i] : "! " + answers.errors[i]);
    }
    std::string text = fmt::format("{} stopped {}", keys.size(), keys.size() == 1 ? "worker" : "workers");
    for (const Group& group : group_equal(keys))
        text += fmt::format("\n{:>5} {}    {}", group.size(), keys[group.front()], names_of(answers, group));
    if (const std::optional<Summary> summary = all_values ? summarise(answers.values) : std::nullopt)
        text += fmt::format("\nmin {} ({}), max {} ({}), mean {}", answers.values[summary->min_at],
                            answers.names[summary->min_at], answers.values[summary->max_at],
                            answers.names[summary->max_at], summary->mean);
    return text;
}

}  // namespace

std::string everywhere_expression(const std::string& command, const nlohmann::json& arguments) {
    const nlohmann::json& expression = member(arguments, "expression");
    if (command != "evaluate" || !expression.is_string() || member(arguments, "context") == "hover")
        return "";
    const std::string text = expression.get<std::string>();
    const std::size_t begin = text.starts_with(prefix) ? text.find_first_not_of(' ', prefix.size()) : std::string::npos;
    return begin == std::string::npos ? "" : text.substr(begin);
}

void evaluate_everywhere(Timers& timers, const std::vector<MergedWorker*>& workers, const std::string& expression,
                         std::int64_t client_seq, std::function<void(const std::string&)> done) {
    auto answers = std::make_shared<Answers>();
    auto gather = std::make_shared<Gather>(timers, [answers, done = std::move(done)] { done(format(*answers)); });
    for (MergedWorker* worker : workers) {
        const std::int64_t thread = worker->stopped_thread();
        if (thread == 0)
            continue;
        const std::size_t index = answers->names.size();
        answers->names.push_back(worker->link().worker().label());
        answers->values.emplace_back();
        answers->errors.push_back(fmt::format("no answer within {} s", answer_within.count() / 1000));
        if (worker->is_congested()) {
            answers->errors.back() = "it does not read what is sent to it";
            continue;
        }
        gather->expect();
        const auto fail = [answers, gather, index](const Error& error) {
            answers->errors[index] = last_line(error.message);
            gather->arrived();
        };
        const auto take = [answers, gather, index, fail](const Result<nlohmann::json>& body) {
            if (!body) {
                fail(body.error());
                return;
            }
            const nlohmann::json& value = member(*body, "result");
            answers->values[index] = value.is_string() ? value.get<std::string>() : "";
            answers->errors[index].clear();
            gather->arrived();
        };
        const auto ask = [worker, expression, client_seq, fail, take](const Result<nlohmann::json>& stack) {
            if (!stack || member(*stack, "stackFrames").empty()) {
                fail(stack ? Error{ErrorCode::worker_refused, "its stack shows no frame"} : stack.error());
                return;
            }
            worker->ask("evaluate",
                        {{"expression", expression},
                         {"context", "repl"},
                         {"frameId", member((*stack)["stackFrames"][0], "id")}},
                        take, client_seq);
        };
        worker->ask("stackTrace", {{"threadId", thread}, {"levels", 1}}, ask, client_seq);
    }
    gather->wait(answer_within);
}

}  // namespace dap

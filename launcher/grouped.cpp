#include "launcher/grouped.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "dap/grouping.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace launcher {

namespace {

using discovery::Target;

/// What one thread or worker shows.
struct Sight {
    nlohmann::json what;  ///< equal sights have an equal one
    const Target* worker;
};

/// Equal sights.
struct Shared {
    nlohmann::json what;
    std::size_t count;
    std::vector<const Target*> workers;  ///< each once
};

std::vector<Shared> fold(const std::vector<Sight>& sights) {
    std::vector<std::string> keys;
    keys.reserve(sights.size());
    for (const Sight& sight : sights)
        keys.push_back(dap::dump(sight.what));
    std::vector<Shared> result;
    for (const dap::Group& group : dap::group_equal(keys)) {
        Shared shared{sights[group.front()].what, group.size(), {}};
        // A worker's threads come one after the other.
        for (const std::size_t index : group) {
            if (shared.workers.empty() || shared.workers.back() != sights[index].worker)
                shared.workers.push_back(sights[index].worker);
        }
        result.push_back(std::move(shared));
    }
    return result;
}

nlohmann::json to_json(const std::vector<Shared>& all) {
    nlohmann::json rows = nlohmann::json::array();
    for (const Shared& shared : all) {
        nlohmann::json row = shared.what;
        row["count"] = shared.count;
        row["targets"] = nlohmann::json::array();
        for (const Target* worker : shared.workers)
            row["targets"].push_back(worker->target);
        rows.push_back(std::move(row));
    }
    return rows;
}

/// "a, b, c and 47 more"
std::string list_some(const std::vector<std::string>& texts) {
    constexpr std::size_t most_shown = 3;
    std::string list;
    for (std::size_t i = 0; i < std::min(texts.size(), most_shown); ++i)
        list += (i == 0 ? "" : ", ") + texts[i];
    return texts.size() > most_shown ? fmt::format("{} and {} more", list, texts.size() - most_shown) : list;
}

/// A form that every command takes as TARGET.
std::string short_label(const Target& worker) {
    return fmt::format("{}@{}", worker.pid, worker.ip);
}

std::string list_workers(const std::vector<const Target*>& workers) {
    std::vector<std::string> labels;
    labels.reserve(workers.size());
    for (const Target* worker : workers)
        labels.push_back(short_label(*worker));
    return list_some(labels);
}

std::string list_names(const std::vector<const Target*>& workers) {
    std::vector<std::string> names;
    for (const Target* worker : workers) {
        const std::string& name = worker->name.empty() ? "worker" : worker->name;
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    }
    return list_some(names);
}

std::string text(const nlohmann::json& value) {
    return value.is_string() ? value.get<std::string>() : dap::dump(value);
}

/// Line breaks with the indentation after them become one space: an array's rows go on one line.
std::string on_one_line(const std::string& lines) {
    std::string line;
    bool broken = false;
    for (const char c : lines) {
        broken = c == '\n' || c == '\r' || (broken && (c == ' ' || c == '\t'));
        if (!broken)
            line += c;
        else if (!line.empty() && line.back() != ' ')
            line += ' ';
    }
    return line;
}

std::size_t width(const std::string& utf8) {
    return static_cast<std::size_t>(std::count_if(
        utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

/// Six digits, or all before the point where there are more: no exponent for what people count.
std::string short_number(double number) {
    const double size = std::abs(number);
    return size >= 1e5 && size < 1e16 ? fmt::format("{:.1f}", number) : fmt::format("{:.6g}", number);
}

void print_values(const std::vector<Shared>& all) {
    constexpr std::size_t most_aligned = 40;
    std::vector<std::string> values;
    std::size_t column = 0;
    for (const Shared& shared : all) {
        const nlohmann::json& error = shared.what["error"];
        values.push_back(on_one_line(error.is_null() ? text(shared.what["value"]) : "error: " + text(error)));
        if (width(values.back()) <= most_aligned)
            column = std::max(column, width(values.back()));
    }
    const std::size_t digits = all.empty() ? 0 : std::to_string(all.front().count).size();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string padding(column - std::min(column, width(values[i])), ' ');
        fmt::print("{:>{}} × {}{}  {}\n", all[i].count, digits, values[i], padding, list_workers(all[i].workers));
    }
}

}  // namespace

void print_grouped_stacks(const nlohmann::json& rows, const std::vector<Target>& targets, bool as_json) {
    std::vector<Sight> sights;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (const nlohmann::json& thread : dap::member(rows[i], "threads")) {
            if (dap::member(thread, "stopped") != true)
                continue;
            nlohmann::json frames = nlohmann::json::array();
            for (const nlohmann::json& frame : dap::member(thread, "frames"))
                frames.push_back({{"name", dap::member(frame, "name")},
                                  {"file", dap::member(frame, "file")},
                                  {"line", dap::member(frame, "line")}});
            sights.push_back({{{"frames", std::move(frames)}}, &targets[i]});
        }
    }
    const std::vector<Shared> all = fold(sights);
    if (as_json) {
        fmt::print("{}\n", dap::dump(to_json(all)));
        return;
    }
    for (const Shared& shared : all) {
        fmt::print("{} × {} · {}\n", shared.count, list_names(shared.workers), list_workers(shared.workers));
        for (const nlohmann::json& frame : shared.what["frames"])
            fmt::print("    {}  {}:{}\n", text(frame["name"]), text(frame["file"]), text(frame["line"]));
    }
}

void print_grouped_values(const nlohmann::json& rows, const std::vector<Target>& targets, bool as_json) {
    std::vector<Sight> sights;
    std::vector<std::string> values;
    std::vector<const Target*> workers;  // of each value
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const nlohmann::json& error = dap::member(rows[i], "error");
        const nlohmann::json& value = dap::member(rows[i], "value");
        sights.push_back({{{"value", value}, {"error", error}}, &targets[i]});
        if (error.is_null()) {
            values.push_back(text(value));
            workers.push_back(&targets[i]);
        }
    }
    const std::vector<Shared> all = fold(sights);
    const std::optional<dap::Summary> summary = dap::summarise(values);
    if (!as_json) {
        print_values(all);
        if (summary)
            fmt::print("min {} ({}) · max {} ({}) · mean {} · of {}\n", dap::python_number(values[summary->min_at]),
                       short_label(*workers[summary->min_at]), dap::python_number(values[summary->max_at]),
                       short_label(*workers[summary->max_at]), short_number(summary->mean), summary->count);
        return;
    }
    nlohmann::json document = to_json(all);
    if (summary) {
        // From the text, so that integers stay integers. JSON knows no infinity: null.
        const auto number = [&](std::size_t at) { return dap::parse_json_or_null(dap::python_number(values[at])); };
        document.push_back({{"summary",
                             {{"min", number(summary->min_at)},
                              {"max", number(summary->max_at)},
                              {"mean", summary->mean},
                              {"min_target", workers[summary->min_at]->target},
                              {"max_target", workers[summary->max_at]->target},
                              {"count", summary->count}}}});
    }
    fmt::print("{}\n", dap::dump(document));
}

}  // namespace launcher

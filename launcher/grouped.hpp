// What `stack --group` and `eval --group` print: what is equal in many workers once, most frequent first, with how many
// there are and where. Works on the rows of `--json`; prints to stdout.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "discovery/target.hpp"

namespace launcher {

/// Stopped threads with the same function, file and line in every frame are equal, whatever their locals. Each thread
/// counts; a worker is named once where several of its threads are equal. `targets`: the worker of each row.
void print_grouped_stacks(const nlohmann::json& rows, const std::vector<discovery::Target>& targets, bool as_json);

/// Values with the same text are equal, and errors are; then a summary where every value is a number.
void print_grouped_values(const nlohmann::json& rows, const std::vector<discovery::Target>& targets, bool as_json);

}  // namespace launcher

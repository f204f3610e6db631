// One question to all workers of a merged session that stand still: `@all EXPRESSION` in the debug console.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/merged_worker.hpp"

namespace dap {

/// The expression of an `evaluate` that is meant for all workers; empty for any other request.
std::string everywhere_expression(const std::string& command, const nlohmann::json& arguments);

/// Evaluates `expression` in the top frame of each worker that stands still. `done` gets the text for the client, equal
/// values in one line, once all have answered or after ten seconds, and says who has not. `client_seq`: the client's
/// request, by which it can be cancelled. Runs on the I/O thread; the callbacks live as long as the workers.
void evaluate_everywhere(Timers& timers, const std::vector<MergedWorker*>& workers, const std::string& expression,
                         std::int64_t client_seq, std::function<void(const std::string& text)> done);

}  // namespace dap

// Processes that a worker starts while it is debugged: debugpy holds each until somebody attaches to it.
#pragma once

#include <optional>
#include <string>

#include "dap/worker_source.hpp"

namespace dap {

/// The subprocess that debugpy's event `debugpyAttach` in `body` speaks of, reached through its parent's port whatever
/// address the event names. Nothing where the event names no process.
std::optional<Worker> subprocess_of(const Worker& parent, const std::string& body);

}  // namespace dap

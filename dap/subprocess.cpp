#include "dap/subprocess.hpp"

#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace dap {

std::optional<Worker> subprocess_of(const Worker& parent, const std::string& body) {
    const nlohmann::json event = parse_json_or_null(body);
    const nlohmann::json& pid = member(member(event, "body"), "subProcessId");
    if (!pid.is_number_integer())
        return std::nullopt;
    Worker worker = parent;
    worker.subprocess = pid.get<std::int64_t>();
    worker.pid = worker.subprocess;
    worker.id = parent.id + "/" + std::to_string(worker.pid);
    worker.name = parent.name + " subprocess";
    worker.waiting = false;
    worker.info["target"] = worker.id;
    worker.info["name"] = worker.name;
    worker.info["pid"] = worker.pid;
    return worker;
}

}  // namespace dap

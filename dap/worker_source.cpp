#include "dap/worker_source.hpp"

namespace dap {

std::string Worker::label() const {
    return (name.empty() ? "worker" : name) + " · pid " + std::to_string(pid) + " @ " + ip;
}

std::string Worker::address() const {
    const bool is_v6 = ip.find(':') != std::string::npos;
    return (is_v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

}  // namespace dap

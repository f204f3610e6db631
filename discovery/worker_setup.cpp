#include "discovery/worker_setup.hpp"

#include <nlohmann/json.hpp>

#include "embedded/worker_setup.hpp"

namespace discovery {
namespace {

using nlohmann::json;

/// JSON text in ASCII. Every such string literal without surrogate pairs is a Python literal too, with the same value.
std::string ascii(const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

}  // namespace

std::string setup_expression(const json& attach_arguments, bool first) {
    json arguments = attach_arguments.is_object() ? attach_arguments : json::object();
    arguments.erase("token");
    // The arguments are a literal of JSON text: what surrogate pairs it has are escaped once more, for json.loads.
    return "(lambda ns: (exec(" + ascii(std::string(embedded::worker_setup)) +
           ", ns), ns['result'])[1])({'arguments': __import__('json').loads(" + ascii(ascii(arguments)) +
           "), 'first': " + (first ? "True" : "False") + "})";
}

std::string leave_expression() {
    return "__import__('pydevd').get_global_debugger().ray_dap_leave()";
}

}  // namespace discovery

#include "dap/attach_arguments.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "dap/json_text.hpp"
#include "dap/message.hpp"
#include "embedded/attach_schema.hpp"

namespace dap {

namespace {

using valijson::adapters::NlohmannJsonAdapter;

const valijson::Schema& compiled_schema() {
    static const std::unique_ptr<valijson::Schema> schema = [] {
        auto result = std::make_unique<valijson::Schema>();
        valijson::SchemaParser parser;
        parser.populateSchema(NlohmannJsonAdapter(attach_schema()), *result);
        return result;
    }();
    return *schema;
}

std::optional<std::chrono::milliseconds> seconds(const nlohmann::json& arguments, const char* name) {
    const nlohmann::json& value = member(arguments, name);
    if (!value.is_number())
        return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(value.get<double>() * 1000));
}

bool flag(const nlohmann::json& arguments, const char* name, bool otherwise) {
    const nlohmann::json& value = member(arguments, name);
    return value.is_boolean() ? value.get<bool>() : otherwise;
}

/// One sentence a user can act on: which attribute is wrong and what the schema says of it.
std::string explain(const nlohmann::json& arguments, valijson::ValidationResults& results) {
    valijson::ValidationResults::Error first;
    if (!results.popError(first))
        return "The attach arguments are not valid.";
    // The context reads "<root>", then "[name]" for each step into the document.
    std::string name;
    for (const std::string& step : first.context) {
        if (step.size() > 2 && step.front() == '[') {
            name = step.substr(1, step.size() - 2);
            break;
        }
    }
    if (name.empty())
        return "The attach arguments must be a JSON object.";
    const nlohmann::json& property = member(member(attach_schema(), "properties"), name.c_str());
    std::string text = "The attach argument \"" + name + "\" cannot be " + dump(member(arguments, name.c_str())) + ".";
    if (property.contains("enum"))
        text += " It may be one of " + dump(property["enum"]) + ".";
    return text + " " + property.value("description", "");
}

}  // namespace

const nlohmann::json& attach_schema() {
    static const nlohmann::json schema = nlohmann::json::parse(embedded::attach_schema);
    return schema;
}

Result<AttachArguments> read_attach_arguments(const nlohmann::json& arguments) {
    AttachArguments result;
    result.all = arguments.is_null() ? nlohmann::json::object() : arguments;
    // A null attribute says the same as none: editors that build arguments from tables send such.
    if (result.all.is_object()) {
        for (auto at = result.all.begin(); at != result.all.end();)
            at = at->is_null() ? result.all.erase(at) : std::next(at);
    }

    valijson::Validator validator;
    valijson::ValidationResults problems;
    if (!validator.validate(compiled_schema(), NlohmannJsonAdapter(result.all), &problems))
        return Error{ErrorCode::invalid_arguments, explain(result.all, problems)};

    for (const nlohmann::json& name : attach_schema()["x-forbidden"]) {
        const nlohmann::json& value = member(result.all, name.get_ref<const std::string&>().c_str());
        // VS Code says `noDebug: false` on its own accord.
        const bool harmless = name == "noDebug" && value == false;
        if (!value.is_null() && !harmless)
            return Error{ErrorCode::forbidden_argument,
                         "The attach argument \"" + name.get<std::string>() +
                             "\" is not allowed: ray-dap connects only to workers that Ray's dashboard reports. "
                             "Remove it, and name the worker with \"target\" if needed."};
    }

    const nlohmann::json& properties = attach_schema()["properties"];
    result.worker = nlohmann::json::object();
    for (const auto& [name, value] : result.all.items()) {
        const auto property = properties.find(name);
        const bool forward = property == properties.end() || property->value("x-forward", false);
        if (forward && !(value == false && name == "noDebug"))
            result.worker[name] = value;
    }
    result.worker["justMyCode"] = flag(result.all, "justMyCode", true);

    const nlohmann::json& target = member(result.all, "target");
    if (target.is_string())
        result.target = target.get<std::string>();
    else if (target.is_number_integer())
        result.target = target.dump();
    if (result.target)
        result.all["target"] = *result.target;
    result.wait = seconds(result.all, "wait");
    result.hold_for = seconds(result.all, "holdFor");
    result.resume_on_disconnect = member(result.all, "onDisconnect") == "resume";
    result.tune_latency = flag(result.all, "tuneLatency", true);
    result.post_mortem = flag(result.all, "postMortem", true);
    result.allow_terminate = flag(result.all, "allowTerminate", false);
    result.take_over = flag(result.all, "takeOver", false);
    if (const nlohmann::json& sessions = member(result.all, "sessions"); sessions.is_string())
        result.sessions = sessions == "children" ? SessionKind::children
                          : sessions == "merged" ? SessionKind::merged
                                                 : SessionKind::single;
    return result;
}

nlohmann::json AttachArguments::exception_filters(nlohmann::json arguments) const {
    if (!arguments.is_object())
        arguments = nlohmann::json::object();
    nlohmann::json& filters = arguments["filters"];
    if (!filters.is_array())
        filters = nlohmann::json::array();
    if (post_mortem && std::find(filters.begin(), filters.end(), "uncaught") == filters.end())
        filters.push_back("uncaught");
    return arguments;
}

AttachArguments arguments_for(AttachArguments arguments, const std::string& worker_id) {
    for (const char* chooser : {"target", "job", "node", "sessions", "wait", "takeOver"})
        arguments.all.erase(chooser);
    arguments.all["target"] = worker_id;
    arguments.target = worker_id;
    arguments.wait.reset();
    arguments.sessions = SessionKind::single;
    arguments.take_over = false;
    return arguments;
}

bool same_secret(const std::string& expected, const std::string& given) {
    unsigned char difference = expected.size() == given.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i)
        difference |= static_cast<unsigned char>(given[i] ^ (expected.empty() ? '\0' : expected[i % expected.size()]));
    return difference == 0;
}

}  // namespace dap

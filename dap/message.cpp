#include "dap/message.hpp"

#include "dap/json_text.hpp"

namespace dap {

std::string make_request(std::int64_t seq, std::string_view command, const nlohmann::json& arguments) {
    nlohmann::json message = {{"seq", seq}, {"type", "request"}, {"command", command}};
    if (!arguments.is_null())
        message["arguments"] = arguments;
    return dump(message);
}

std::string make_event(std::int64_t seq, std::string_view event, const nlohmann::json& body) {
    nlohmann::json message = {{"seq", seq}, {"type", "event"}, {"event", event}};
    if (!body.is_null())
        message["body"] = body;
    return dump(message);
}

std::string make_response(std::int64_t seq, std::int64_t request_seq, std::string_view command,
                          const nlohmann::json& body) {
    nlohmann::json message = {
        {"seq", seq}, {"type", "response"}, {"request_seq", request_seq}, {"command", command}, {"success", true}};
    if (!body.is_null())
        message["body"] = body;
    return dump(message);
}

std::string make_error_response(std::int64_t seq, std::int64_t request_seq, std::string_view command,
                                const Error& error) {
    return dump({{"seq", seq},
                 {"type", "response"},
                 {"request_seq", request_seq},
                 {"command", command},
                 {"success", false},
                 {"message", error_info(error.code).name},
                 {"body", error_body(error)}});
}

const nlohmann::json& member(const nlohmann::json& object, const char* name) {
    static const nlohmann::json none;
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() ? *found : none;
}

std::string error_text(const nlohmann::json& response) {
    const nlohmann::json& error = member(member(response, "body"), "error");
    const nlohmann::json& format = member(error, "format");
    if (!format.is_string()) {
        const nlohmann::json& message = member(response, "message");
        return message.is_string() ? message.get<std::string>() : "the request failed";
    }
    std::string text = format.get<std::string>();
    const nlohmann::json& variables = member(error, "variables");
    if (variables.is_object()) {
        for (const auto& [name, value] : variables.items()) {
            const std::string placeholder = "{" + name + "}";
            const std::string filling = value.is_string() ? value.get<std::string>() : dump(value);
            for (std::size_t at = text.find(placeholder); at != std::string::npos;
                 at = text.find(placeholder, at + filling.size()))
                text.replace(at, placeholder.size(), filling);
        }
    }
    return text;
}

std::string last_line(std::string text) {
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

}  // namespace dap

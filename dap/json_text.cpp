#include "dap/json_text.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

namespace dap {

namespace {

constexpr int max_depth = 200;

bool nested_too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (in_string) {
            if (c == '\\')
                ++at;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

/// The code unit of the escape `\uXXXX` at `at`; -1 where there is none.
int unicode_escape(std::string_view text, std::size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u')
        return -1;
    int unit = 0;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (std::isxdigit(c) == 0)
            return -1;
        unit = unit * 16 + (std::isdigit(c) != 0 ? c - '0' : std::tolower(c) - 'a' + 10);
    }
    return unit;
}

bool is_high(int unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

bool has_surrogate_escape(std::string_view text) {
    for (std::size_t at = text.find("\\u"); at != std::string_view::npos; at = text.find("\\u", at + 2)) {
        const int unit = unicode_escape(text, at);
        if (is_high(unit) || is_low(unit))
            return true;
    }
    return false;
}

std::string replace_lone_surrogates(std::string_view text) {
    std::string result(text);
    for (std::size_t at = 0; at < result.size(); ++at) {
        if (result[at] != '\\')
            continue;
        const int unit = unicode_escape(result, at);
        if (is_high(unit) && is_low(unicode_escape(result, at + 6)))
            at += 11;
        else if (is_high(unit) || is_low(unit))
            result.replace(at, 6, "\\ufffd");
        else
            ++at;  // the escaped character
    }
    return result;
}

/// What nlohmann_json would accept, to somebody's harm.
std::optional<Error> refuse(std::string_view text) {
    if (nested_too_deep(text))
        return Error{ErrorCode::invalid_message, "The message is nested too deeply."};
    // It takes NUL for the end of the input and would not see what follows.
    if (text.find('\0') != std::string_view::npos)
        return Error{ErrorCode::invalid_message, "The message is not valid JSON: it holds a NUL byte."};
    return std::nullopt;
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
    if (const std::optional<Error> refused = refuse(text))
        return *refused;
    try {
        if (has_surrogate_escape(text))
            return {boost::system::in_place_value, nlohmann::json::parse(replace_lone_surrogates(text))};
        return {boost::system::in_place_value, nlohmann::json::parse(text)};
    } catch (const nlohmann::json::exception& failure) {
        return Error{ErrorCode::invalid_message, std::string("The message is not valid JSON: ") + failure.what()};
    }
}

nlohmann::json parse_json_or_null(std::string_view text) {
    const Result<nlohmann::json> parsed = parse_json(text);
    return parsed ? *parsed : nlohmann::json();
}

Result<void> check_json(std::string_view text) {
    if (const std::optional<Error> refused = refuse(text))
        return *refused;
    const bool valid = has_surrogate_escape(text) ? nlohmann::json::accept(replace_lone_surrogates(text))
                                                  : nlohmann::json::accept(text);
    if (!valid)
        return Error{ErrorCode::invalid_message, "The message is not valid JSON in UTF-8."};
    return {};
}

std::string dump(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace dap

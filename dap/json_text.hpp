// JSON text from outside, made safe to parse.
//
// debugpy sends lone surrogates ("\udc80") that nlohmann_json refuses although they are valid JSON text; and text
// nested a million levels deep would overflow the stack of whoever writes it out again. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"

namespace dap {

/// Parses one JSON document. Lone surrogate escapes become U+FFFD.
/// Errors: invalid_message for text that is not JSON, not UTF-8, or nested more than 200 levels deep.
Result<nlohmann::json> parse_json(std::string_view text);

/// The same, where broken text may count as null.
nlohmann::json parse_json_or_null(std::string_view text);

/// Checks what parse_json would accept, without building anything.
Result<void> check_json(std::string_view text);

/// Compact text. Bytes that are not UTF-8 become U+FFFD: it never throws.
std::string dump(const nlohmann::json& value);

}  // namespace dap

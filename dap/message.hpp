// Builders for the messages that the bridge says itself, as bodies ready to be framed. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "dap/error.hpp"

namespace dap {

std::string make_request(std::int64_t seq, std::string_view command, const nlohmann::json& arguments);
std::string make_event(std::int64_t seq, std::string_view event, const nlohmann::json& body);
/// A null `body` is left out.
std::string make_response(std::int64_t seq, std::int64_t request_seq, std::string_view command,
                          const nlohmann::json& body);
/// `message` is "cancelled" for cancelled requests (DAP, "Response"), else the error's stable name.
std::string make_error_response(std::int64_t seq, std::int64_t request_seq, std::string_view command,
                                const Error& error);

/// The member `name` of `object`, or null where `object` is no object or has none.
const nlohmann::json& member(const nlohmann::json& object, const char* name);

/// What an error response says to people: `body.error.format` with its variables filled in, else `message`.
std::string error_text(const nlohmann::json& response);

/// The last line of an error's text: debugpy answers with whole tracebacks, whose last line says what is wrong.
std::string last_line(std::string text);

}  // namespace dap

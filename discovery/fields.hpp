// Reading fields of JSON objects whose types nobody promised: Ray leaves unset ones null, renders some times as
// floats and "no time" as 2^64-1.
//
// Pure functions; none throws.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace discovery {

/// The string at `key`; empty where it is missing, null or no string.
std::string string_field(const nlohmann::json& object, const char* key);

/// The whole number at `key`; 0 where it is missing, null, no number, or does not fit (2^64-1 means "unset" in Ray).
std::int64_t integer_field(const nlohmann::json& object, const char* key);

/// True where `key` is there and neither null nor of `type`: the row cannot be trusted.
bool wrong_type(const nlohmann::json& object, const char* key, nlohmann::json::value_t type);

}  // namespace discovery

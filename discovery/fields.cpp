#include "discovery/fields.hpp"

#include <limits>

namespace discovery {

std::string string_field(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer_field(const nlohmann::json& object, const char* key) {
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    const auto found = object.find(key);
    if (found == object.end())
        return 0;
    if (found->is_number_unsigned()) {
        const auto value = found->get<std::uint64_t>();
        return value <= static_cast<std::uint64_t>(largest) ? static_cast<std::int64_t>(value) : 0;
    }
    if (found->is_number_integer())
        return found->get<std::int64_t>();
    if (found->is_number_float()) {
        const auto value = found->get<double>();
        return value > -9e18 && value < 9e18 ? static_cast<std::int64_t>(value) : 0;
    }
    return 0;
}

bool wrong_type(const nlohmann::json& object, const char* key, nlohmann::json::value_t type) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null())
        return false;
    if (type == nlohmann::json::value_t::number_integer)
        return !found->is_number();
    return found->type() != type;
}

}  // namespace discovery

#include "dap/grouping.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_map>

namespace dap {

namespace {

// Wide enough that a sum of doubles does not overflow, and that 64-bit integers compare exactly.
using Wide = long double;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// "1.5" of "np.float64(1.5)" and of "np.longdouble('1.5')"; other text as it is.
std::string_view without_numpy(std::string_view value) {
    constexpr std::string_view module = "np.";
    constexpr std::array<std::string_view, 5> types{"int", "uint", "float", "long", "ulong"};
    const std::size_t open = value.find('(');
    if (!value.starts_with(module) || open == std::string_view::npos || !value.ends_with(')'))
        return value;
    const std::string_view type = value.substr(module.size(), open - module.size());
    if (std::none_of(types.begin(), types.end(), [&](std::string_view each) { return type.starts_with(each); }))
        return value;
    std::string_view inside = value.substr(open + 1, value.size() - open - 2);
    if (inside.size() >= 2 && inside.front() == '\'' && inside.back() == '\'')
        inside = inside.substr(1, inside.size() - 2);
    return inside;
}

std::optional<Wide> to_number(std::string_view text) {
    if (text != "inf" && text != "-inf" && text != "nan") {
        // from_chars knows more spellings than Python writes ("infinity", "nan(1)", ".5").
        const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
        if (digits.empty() || !is_digit(digits.front()))
            return std::nullopt;
    }
    Wide number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

}  // namespace

std::vector<Group> group_equal(const std::vector<std::string>& keys) {
    std::vector<Group> groups;
    std::unordered_map<std::string_view, std::size_t> group_of;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto [known, is_new] = group_of.try_emplace(keys[i], groups.size());
        if (is_new)
            groups.emplace_back();
        groups[known->second].push_back(i);
    }
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Group& left, const Group& right) { return left.size() > right.size(); });
    return groups;
}

std::string_view python_number(std::string_view value) {
    const std::string_view text = without_numpy(value);
    return to_number(text) ? text : std::string_view();
}

std::optional<Summary> summarise(const std::vector<std::string>& values) {
    Wide min = 0;
    Wide max = 0;
    Wide sum = 0;
    Summary summary{};
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::optional<Wide> number = to_number(without_numpy(values[i]));
        if (!number)
            return std::nullopt;
        if (std::isnan(*number))
            continue;
        if (summary.count == 0 || *number < min) {
            min = *number;
            summary.min_at = i;
        }
        if (summary.count == 0 || *number > max) {
            max = *number;
            summary.max_at = i;
        }
        sum += *number;
        ++summary.count;
    }
    if (summary.count < 2)
        return std::nullopt;
    summary.min = static_cast<double>(min);
    summary.max = static_cast<double>(max);
    summary.mean = static_cast<double>(sum / static_cast<Wide>(summary.count));
    return summary;
}

}  // namespace dap

// Many workers at a glance: equal things folded into groups, numbers into a summary.
//
// Pure functions on text, as debugpy shows values; whoever calls them decides what makes two things equal by the keys
// it writes, and keeps what the indices stand for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dap {

/// Indices of equal keys, in order.
using Group = std::vector<std::size_t>;

/// Every index of `keys` in exactly one group. Most frequent first; of equal size, the one seen first.
std::vector<Group> group_equal(const std::vector<std::string>& keys);

/// The number that `value` is in Python's writing, without the name that numpy 2 puts around it: "1.5" for "1.5" and
/// for "np.float64(1.5)"; "inf", "-inf" and "nan" as they are. Empty where it is none: bool, complex and quoted text
/// are none.
std::string_view python_number(std::string_view value);

/// What is known of several numbers. `min_at` and `max_at`: where the first smallest and the first largest stand, for
/// their worker and for their exact text, since a double holds no integer beyond 2^53 exactly.
struct Summary {
    double min;
    double max;
    double mean;
    std::size_t min_at;
    std::size_t max_at;
    std::size_t count;  ///< values that count
};

/// Summarises values that `python_number` knows. nan does not count (a group of its own shows it); infinities do.
/// nullopt where one value is no number, or where fewer than two count.
std::optional<Summary> summarise(const std::vector<std::string>& values);

}  // namespace dap

// Which targets a user means: TARGET of the command line, and `target`, `job`, `node` of an attach request.
//
// Pure functions. That nothing matches is no error; a prefix that fits several ids is one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "discovery/answer.hpp"
#include "discovery/target.hpp"

namespace discovery {

struct Query {
    std::optional<std::string> target;
    std::optional<std::string> job;   ///< job id or submission id
    std::optional<std::string> node;  ///< node id, unique prefix of one, or address
};

struct SelectionError {
    enum class Kind {
        ambiguous_prefix,  ///< an id prefix that fits several ids; the message lists the candidates
        malformed,         ///< no such form of TARGET
    };
    Kind kind;
    std::string message;
};

/// Whether TARGET has a form that means one worker: an id or a prefix of one, a pid, `pid@ip`. Names and globs may mean
/// several, also later ones.
bool names_one(const std::string& target);

/// Indices into `targets`, in their order, of those that `query` means; all of them for an empty query.
///
/// TARGET is tried as: id of a worker, task or actor; actor name; `pid@ip`; `pid`; prefix (8 hexadecimal digits or
/// more) of an id; glob (fnmatch) on the function name, where `add` and `Counter.add` both mean `Counter.add`. The
/// first form that fits anything decides.
Outcome<std::vector<std::size_t>, SelectionError> select(const std::vector<Target>& targets, const Query& query);

}  // namespace discovery

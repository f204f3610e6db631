#include "discovery/selector.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include <arpa/inet.h>
#include <fnmatch.h>

#include "discovery/text.hpp"

namespace discovery {
namespace {

using Indices = std::vector<std::size_t>;
using Selection = Outcome<Indices, SelectionError>;

constexpr std::size_t shortest_prefix = 8;
constexpr std::size_t longest_list = 10;

bool all_of(const std::string& text, const char* characters) {
    return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
}

bool digits(const std::string& text) {
    return all_of(text, "0123456789");
}
bool hexadecimal(const std::string& text) {
    return all_of(text, "0123456789abcdef");
}

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// The address in one spelling (IPv6 has many); empty if it is none.
std::string canonical_ip(std::string text) {
    if (text.size() > 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    std::array<unsigned char, sizeof(in6_addr)> address{};
    std::array<char, INET6_ADDRSTRLEN> spelled{};
    for (const int family : {AF_INET, AF_INET6})
        if (inet_pton(family, text.c_str(), address.data()) == 1)
            return inet_ntop(family, address.data(), spelled.data(), spelled.size());
    return {};
}

std::string label(const Target& target) {
    std::string text = target.target + " (" + (target.name.empty() ? to_string(target.kind) : target.name);
    return text + ", pid " + std::to_string(target.pid) + "@" + target.ip + ")";
}

SelectionError ambiguous(const std::string& prefix, const std::vector<std::string>& candidates) {
    std::string message = "The prefix '" + prefix + "' fits several: ";
    for (std::size_t i = 0; i < candidates.size() && i < longest_list; ++i)
        message += (i ? ", " : "") + candidates[i];
    if (candidates.size() > longest_list)
        message += " and " + std::to_string(candidates.size() - longest_list) + " more";
    return {SelectionError::Kind::ambiguous_prefix, message + ". Give more characters of the id."};
}

SelectionError malformed(const std::string& message) {
    return {SelectionError::Kind::malformed, message};
}

Indices filtered(const std::vector<Target>& targets, const Indices& from,
                 const std::function<bool(const Target&)>& fits) {
    Indices out;
    std::copy_if(from.begin(), from.end(), std::back_inserter(out), [&](std::size_t i) { return fits(targets[i]); });
    return out;
}

std::vector<std::string> ids_of(const Target& target) {
    return {target.target, target.task_id, target.actor_id};
}

/// The names that a function goes by: "Waiter.{a|b}" is Waiter.a and Waiter.b, each also without its class.
std::vector<std::string> function_names(const Target& target) {
    std::vector<std::string> whole;
    const auto open = target.name.find(".{");
    if (target.kind == TargetKind::actor && open != std::string::npos && target.name.ends_with('}')) {
        const std::string owner = target.name.substr(0, open + 1);
        const std::string inside = target.name.substr(open + 2, target.name.size() - open - 3);
        for (std::size_t at = 0; at <= inside.size();) {
            const std::size_t end = std::min(inside.find('|', at), inside.size());
            whole.push_back(owner + inside.substr(at, end - at));
            at = end + 1;
        }
    }
    whole.push_back(target.name);
    std::vector<std::string> names = whole;
    // An entrypoint's dots ("python a.py") separate no modules.
    if (target.kind == TargetKind::task || target.kind == TargetKind::actor)
        for (const std::string& name : whole)
            for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
                names.push_back(name.substr(dot + 1));
    return names;
}

Selection by_prefix(const std::vector<Target>& targets, const Indices& from, const std::string& prefix) {
    std::map<std::string, std::string> fitting;
    const Indices found = filtered(targets, from, [&](const Target& target) {
        bool fits = false;
        for (const std::string& id : ids_of(target))
            if (id.starts_with(prefix)) {
                fitting.emplace(id, label(target));
                fits = true;
            }
        return fits;
    });
    // Two ids of one and the same target leave no doubt about what is meant.
    if (fitting.size() <= 1 || found.size() <= 1)
        return found;
    std::vector<std::string> candidates;
    candidates.reserve(fitting.size());
    for (const auto& [id, text] : fitting)
        candidates.push_back(text.starts_with(id) ? text : std::string(id).append(" of ").append(text));
    return ambiguous(prefix, candidates);
}

Selection by_target(const std::vector<Target>& targets, const Indices& from, const std::string& wanted) {
    if (wanted.empty())
        return malformed("The target is empty: give an id, an actor's name, pid@ip, a pid or a function's name.");
    const std::string id = lower(wanted);
    Indices found = filtered(targets, from, [&](const Target& target) {
        const auto ids = ids_of(target);
        return std::find(ids.begin(), ids.end(), id) != ids.end();
    });
    if (found.empty())
        found = filtered(targets, from, [&](const Target& target) { return target.actor_name == wanted; });
    if (!found.empty())
        return found;

    const auto at = wanted.find('@');
    const std::string pid = wanted.substr(0, at);
    if (digits(pid) && pid.size() <= 18) {
        const std::int64_t number = std::stoll(pid);
        std::string ip;
        if (at != std::string::npos) {
            ip = canonical_ip(wanted.substr(at + 1));
            if (ip.empty())
                return malformed("'" + shortened(wanted, 100) + "' is not pid@ip: '" +
                                 shortened(wanted.substr(at + 1), 100) + "' is no IP address.");
        }
        found = filtered(targets, from, [&](const Target& target) {
            return target.pid == number && (ip.empty() || canonical_ip(target.ip) == ip);
        });
        if (!found.empty() || !ip.empty())
            return found;
    }
    if (hexadecimal(id) && id.size() >= shortest_prefix) {
        Selection selection = by_prefix(targets, from, id);
        if (!selection || !selection->empty())
            return selection;
    }
    found = filtered(targets, from, [&](const Target& target) {
        const auto names = function_names(target);
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            return name == wanted || fnmatch(wanted.c_str(), name.c_str(), 0) == 0;
        });
    });
    const auto has_prefix = [&](const Target& target) {
        const auto ids = ids_of(target);
        return std::any_of(ids.begin(), ids.end(), [&](const std::string& each) { return each.starts_with(id); });
    };
    if (found.empty() && hexadecimal(id) && id.size() >= 4 && id.size() < shortest_prefix &&
        !filtered(targets, from, has_prefix).empty())
        return malformed("'" + wanted + "' is too short for an id: give at least 8 characters of it.");
    return found;
}

Selection by_node(const std::vector<Target>& targets, const Indices& from, const std::string& wanted) {
    if (wanted.empty())
        return malformed("The node is empty: give a node id or an IP address.");
    const std::string id = lower(wanted);
    const std::string ip = canonical_ip(wanted);
    Indices found = filtered(targets, from, [&](const Target& target) {
        return target.node_id == id || (!ip.empty() && canonical_ip(target.ip) == ip);
    });
    if (!found.empty() || !hexadecimal(id) || id.size() < shortest_prefix)
        return found;
    std::set<std::string> nodes;
    found = filtered(targets, from, [&](const Target& target) { return target.node_id.starts_with(id); });
    for (const std::size_t i : found)
        nodes.insert(targets[i].node_id);
    if (nodes.size() > 1)
        return ambiguous(id, {nodes.begin(), nodes.end()});
    return found;
}

}  // namespace

bool names_one(const std::string& target) {
    const std::string pid = target.substr(0, target.find('@'));
    return digits(pid) || (hexadecimal(target) && target.size() >= shortest_prefix);
}

Outcome<std::vector<std::size_t>, SelectionError> select(const std::vector<Target>& targets, const Query& query) {
    Indices indices(targets.size());
    for (std::size_t i = 0; i < indices.size(); ++i)
        indices[i] = i;
    if (query.job)
        indices = filtered(targets, indices, [&](const Target& target) {
            return !query.job->empty() && (target.job_id == lower(*query.job) || target.submission_id == *query.job);
        });
    if (query.node) {
        Selection selection = by_node(targets, indices, *query.node);
        if (!selection)
            return selection;
        indices = *selection;
    }
    return query.target ? by_target(targets, indices, *query.target) : Selection(indices);
}

}  // namespace discovery

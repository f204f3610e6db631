// The dashboard's address: from a flag or the environment to scheme, host, port and path prefix.
//
// Pure functions; errors are sentences for the user.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "discovery/answer.hpp"
#include "discovery/environment.hpp"

namespace discovery {

struct Url {
    bool https = false;
    std::string host;  ///< name or address; IPv6 without brackets
    std::uint16_t port = 8265;
    std::string prefix;  ///< empty, or a path that starts with "/" and does not end with one

    /// "http://10.0.0.1:8265/prefix", IPv6 in brackets.
    std::string text() const;
    bool operator==(const Url&) const = default;
};

/// Understands `http(s)://host[:port][/prefix]`, `host:port` and `host`. Ports default to 80 and 443 where a scheme
/// is given, else to 8265, Ray's own. A fragment, as in an address copied from a browser (`/#/jobs`), is dropped.
Outcome<Url, std::string> parse_url(std::string_view text);

/// The dashboard's address: `flag` (--address) where it is not empty, else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS
/// where that is an http(s) URL (it may also be GCS's or a Ray Client's address), else http://127.0.0.1:8265.
Outcome<Url, std::string> dashboard_url_from(std::string_view flag, const Environment& environment);

}  // namespace discovery

#include "discovery/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

#include "discovery/text.hpp"

namespace discovery {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

bool host_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_';
    });
}

bool ipv6(const std::string& text) {
    in6_addr address{};
    // A zone ("fe80::1%eth0") is no part of the address itself.
    return inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

std::optional<std::uint16_t> port_number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535)
        return std::nullopt;
    return static_cast<std::uint16_t>(value);
}

std::string refusal(std::string_view text, const std::string& why) {
    return "The dashboard address '" + shortened(text, 200) + "' cannot be used: " + why +
           " Give the address of Ray's dashboard, like http://10.0.0.1:8265.";
}

}  // namespace

std::string Url::text() const {
    const bool brackets = host.find(':') != std::string::npos;
    return std::string(https ? "https://" : "http://") + (brackets ? "[" + host + "]" : host) + ":" +
           std::to_string(port) + prefix;
}

Outcome<Url, std::string> parse_url(std::string_view given) {
    const std::string_view text = trimmed(given);
    if (text.empty())
        return refusal(text, "it is empty.");
    Url url;
    std::string_view rest = text;
    if (const auto end = rest.find("://"); end != std::string_view::npos) {
        const std::string scheme = lower(rest.substr(0, end));
        if (scheme == "ray")
            return refusal(text, "it is Ray Client's (ray://), which does not tell what is paused.");
        if (scheme != "http" && scheme != "https")
            return refusal(text, "the scheme '" + scheme + "' is neither http nor https.");
        url.https = scheme == "https";
        url.port = url.https ? 443 : 80;
        rest.remove_prefix(end + 3);
    }
    rest = rest.substr(0, rest.find('#'));
    const auto slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    if (slash != std::string_view::npos)
        url.prefix = rest.substr(slash);
    while (url.prefix.ends_with('/'))
        url.prefix.pop_back();
    if (std::any_of(url.prefix.begin(), url.prefix.end(),
                    [](unsigned char c) { return c <= ' ' || c == '?' || c >= 0x7f; }))
        return refusal(text, "its path holds characters that a prefix cannot have.");
    if (authority.find('@') != std::string_view::npos)
        return refusal("...", "user names in it are not supported.");

    std::string_view port;
    bool has_port = false;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos)
            return refusal(text, "the bracket of the IPv6 address is not closed.");
        url.host = authority.substr(1, end - 1);
        if (!ipv6(url.host))
            return refusal(text, "'" + url.host + "' is no IPv6 address.");
        const std::string_view after = authority.substr(end + 1);
        if (!after.empty() && after.front() != ':')
            return refusal(text, "only a port may follow the IPv6 address.");
        has_port = !after.empty();
        port = has_port ? after.substr(1) : after;
    } else {
        const auto colon = authority.find(':');
        if (colon != std::string_view::npos && authority.find(':', colon + 1) != std::string_view::npos)
            return refusal(text, "an IPv6 address needs brackets, as in [::1]:8265.");
        url.host = authority.substr(0, colon);
        if (!host_name(url.host))
            return refusal(text, "'" + shortened(url.host, 100) + "' is no host name.");
        has_port = colon != std::string_view::npos;
        port = has_port ? authority.substr(colon + 1) : std::string_view();
    }
    if (has_port) {
        const auto number = port_number(port);
        if (!number)
            return refusal(text, "'" + shortened(port, 20) + "' is no port.");
        url.port = *number;
    }
    return url;
}

Outcome<Url, std::string> dashboard_url_from(std::string_view flag, const Environment& environment) {
    if (!trimmed(flag).empty())
        return parse_url(flag);
    if (const auto value = environment("RAY_API_SERVER_ADDRESS"); value && !trimmed(*value).empty())
        return parse_url(*value);
    if (const auto value = environment("RAY_ADDRESS")) {
        const std::string address = lower(trimmed(*value));
        if (address.starts_with("http://") || address.starts_with("https://"))
            return parse_url(*value);
    }
    return parse_url("http://127.0.0.1:8265");
}

}  // namespace discovery

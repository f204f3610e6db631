#include "discovery/token.hpp"

#include <array>
#include <fstream>

#include <sys/stat.h>

namespace discovery {
namespace {

constexpr std::size_t longest = std::size_t{64} << 10;

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// A header value must not end the header: anything but visible ASCII makes a token unusable.
bool usable(const std::string& token) {
    for (const unsigned char c : token)
        if (c <= ' ' || c >= 0x7f)
            return false;
    return !token.empty();
}

}  // namespace

TokenSource::TokenSource(Environment environment) : m_environment(std::move(environment)) {}

const std::optional<std::string>& TokenSource::get() {
    if (const auto value = m_environment("RAY_AUTH_TOKEN"); value && !trimmed(*value).empty()) {
        const std::string token = trimmed(*value);
        m_path.clear();
        m_token = usable(token) ? std::optional(token) : std::nullopt;
        m_origin =
            m_token ? "the token of RAY_AUTH_TOKEN" : "no token (RAY_AUTH_TOKEN holds characters that no token has)";
        return m_token;
    }
    std::string path;
    if (const auto value = m_environment("RAY_AUTH_TOKEN_PATH"); value && !value->empty())
        path = *value;
    else if (const auto home = m_environment("HOME"); home && !home->empty())
        path = *home + "/.ray/auth_token";
    const Stamp stamp = stamp_of(path);
    if (path != m_path || stamp != m_stamp || path.empty())
        read_file(path, stamp);
    return m_token;
}

bool TokenSource::read_again() {
    const auto before = m_token;
    m_path.clear();
    return get() != before;
}

void TokenSource::read_file(const std::string& path, const Stamp& stamp) {
    m_path = path;
    m_stamp = stamp;
    m_token.reset();
    if (path.empty()) {
        m_origin = "no token (neither RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH nor HOME is set)";
        return;
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        m_origin = "no token (the file " + path + (stamp.size < 0 ? " does not exist)" : " cannot be read)");
        return;
    }
    std::array<char, longest> text{};
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    const std::string token = trimmed(std::string(text.data(), static_cast<std::size_t>(file.gcount())));
    if (!usable(token)) {
        m_origin = "no token (the file " + path + (token.empty() ? " is empty)" : " holds no token)");
        return;
    }
    m_token = token;
    m_origin = "the token of the file " + path;
}

TokenSource::Stamp TokenSource::stamp_of(const std::string& path) {
    struct stat found {};
    if (path.empty() || ::stat(path.c_str(), &found) != 0)
        return {};
    return {static_cast<std::uint64_t>(found.st_ino), static_cast<std::int64_t>(found.st_size),
            static_cast<std::int64_t>(found.st_mtim.tv_sec), static_cast<std::int64_t>(found.st_mtim.tv_nsec)};
}

}  // namespace discovery

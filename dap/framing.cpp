#include "dap/framing.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace dap {

namespace {

// A real header takes some 25 bytes; nobody needs more than this.
constexpr std::size_t max_header = 512;
// Content-Type is no DAP field, but clients that share code with the Language Server Protocol send it.
constexpr std::array<std::string_view, 2> field_names = {"content-length", "content-type"};

char lower(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

/// Whether `line`, possibly cut short, can be or become "<known name>:…".
bool may_be_field(std::string_view line) {
    return std::any_of(field_names.begin(), field_names.end(), [line](std::string_view name) {
        const std::size_t size = std::min(line.size(), name.size());
        const bool same = std::equal(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size), line.begin(),
                                     [](char expected, char c) { return expected == lower(c); });
        return same && (line.size() <= name.size() || line[name.size()] == ':');
    });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

Error not_dap() {
    return {ErrorCode::not_dap, "The connection does not speak the Debug Adapter Protocol."};
}

}  // namespace

void FrameReader::feed(std::string_view bytes) {
    if (m_at > 0) {
        m_buffer.erase(0, m_at);
        m_at = 0;
    }
    m_buffer.append(bytes);
}

Result<std::optional<std::string>> FrameReader::next() {
    if (!m_in_body) {
        const Result<bool> complete = read_header();
        if (!complete)
            return complete.error();
        if (!*complete)
            return std::optional<std::string>{};
        m_in_body = true;
        // The rest of the body follows right away: one allocation instead of many.
        m_buffer.reserve(m_at + *m_length);
    }
    if (m_buffer.size() - m_at < *m_length)
        return std::optional<std::string>{};
    std::string body;
    if (m_at == 0 && m_buffer.size() == *m_length)
        body.swap(m_buffer);
    else
        body.assign(m_buffer, m_at, *m_length);
    m_at += *m_length;
    if (m_at >= m_buffer.size()) {
        // Frees what a large message took.
        if (m_buffer.capacity() > (64U << 10))
            std::string().swap(m_buffer);
        m_buffer.clear();
        m_at = 0;
    }
    m_in_body = false;
    m_length.reset();
    m_header_size = 0;
    return std::optional<std::string>(std::move(body));
}

Result<bool> FrameReader::read_header() {
    while (true) {
        const std::string_view rest = std::string_view(m_buffer).substr(m_at);
        const std::size_t end = rest.find('\n');
        const bool whole = end != std::string_view::npos;
        std::string_view line = rest.substr(0, whole ? end : rest.size());
        if (m_header_size + line.size() > max_header)
            return not_dap();
        if (whole && line == "\r") {
            m_at += end + 1;
            if (!m_length)
                return Error{ErrorCode::invalid_message,
                             "The message header has no Content-Length; every DAP message needs one."};
            return true;
        }
        if (line == "\r" && !whole)
            return false;
        if (!may_be_field(line))
            return not_dap();
        if (!whole)
            return false;
        if (line.empty() || line.back() != '\r')
            return Error{ErrorCode::invalid_message, "A DAP header line must end with CR LF."};
        line.remove_suffix(1);
        const Result<bool> accepted = read_field(line);
        if (!accepted)
            return accepted.error();
        m_header_size += end + 1;
        m_at += end + 1;
    }
}

Result<bool> FrameReader::read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
        return not_dap();
    if (colon != field_names.front().size())
        return true;  // Content-Type: nothing to learn from it
    if (m_length)
        return Error{ErrorCode::invalid_message, "The message header has more than one Content-Length."};
    const std::string_view value = trim(line.substr(colon + 1));
    std::size_t length = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (value.empty() || status == std::errc::invalid_argument || end != value.data() + value.size())
        return Error{ErrorCode::invalid_message, "The Content-Length is not a number of bytes."};
    if (status == std::errc::result_out_of_range || length > m_max_body)
        return Error{ErrorCode::invalid_message, "The Content-Length is larger than the " +
                                                     std::to_string(m_max_body >> 20) + " MiB accepted here."};
    m_length = length;
    return true;
}

std::string frame_header(std::size_t size) {
    return "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

}  // namespace dap

#include "dap/envelope.hpp"

#include <charconv>
#include <utility>

namespace dap {

namespace {

Error broken(const std::string& what) {
    return {ErrorCode::invalid_message, "The message is not a DAP message: " + what + "."};
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Walks the members of the outermost object.
class Scanner {
  public:
    explicit Scanner(std::string_view body) : m_body(body) {}

    bool enter() {
        skip_space();
        return take('{');
    }

    std::size_t at() const { return m_at; }
    char peek() const { return m_at < m_body.size() ? m_body[m_at] : '\0'; }

    bool take(char c) {
        if (peek() != c || m_at >= m_body.size())
            return false;
        ++m_at;
        return true;
    }

    void skip_space() {
        while (m_at < m_body.size() && is_space(m_body[m_at]))
            ++m_at;
    }

    /// Skips a string; its text without quotes, escapes untouched. False at the end of the body.
    bool string(std::string_view& text) {
        if (!take('"'))
            return false;
        const std::size_t begin = m_at;
        while (m_at < m_body.size()) {
            const char c = m_body[m_at];
            if (c == '"') {
                text = m_body.substr(begin, m_at - begin);
                ++m_at;
                return true;
            }
            m_at += c == '\\' ? 2 : 1;
        }
        return false;
    }

    /// Skips any value; its text. False at the end of the body.
    bool value(std::string_view& text) {
        const std::size_t begin = m_at;
        int depth = 0;
        std::string_view ignored;
        while (m_at < m_body.size()) {
            const char c = m_body[m_at];
            if (c == '"') {
                if (!string(ignored))
                    return false;
            } else if (c == '{' || c == '[') {
                ++depth;
                ++m_at;
            } else if (depth > 0 && (c == '}' || c == ']')) {
                --depth;
                ++m_at;
            } else if (depth == 0 && (c == ',' || c == '}' || is_space(c))) {
                break;
            } else {
                ++m_at;
                continue;
            }
            if (depth == 0)
                break;
        }
        text = m_body.substr(begin, m_at - begin);
        return m_at < m_body.size() && !text.empty();
    }

  private:
    std::string_view m_body;
    std::size_t m_at = 0;
};

bool integer(std::string_view text, std::int64_t& number) {
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    return status == std::errc() && end == text.data() + text.size();
}

/// The text of a string value without escapes; false for anything else.
bool plain_string(std::string_view text, std::string_view& content) {
    if (text.size() < 2 || text.front() != '"' || text.find('\\') != std::string_view::npos)
        return false;
    content = text.substr(1, text.size() - 2);
    return true;
}

}  // namespace

Result<Envelope> scan_envelope(std::string_view body) {
    enum Field { type, seq, request_seq, success, command, event, field_count };
    static constexpr std::string_view names[field_count] = {"type",    "seq",     "request_seq",
                                                            "success", "command", "event"};
    std::string_view values[field_count];
    Envelope::Span spans[field_count];

    Scanner scanner(body);
    if (!scanner.enter())
        return broken("it is no JSON object");
    const std::size_t first_member = scanner.at();
    scanner.skip_space();
    while (!scanner.take('}')) {
        std::string_view key;
        std::string_view value;
        scanner.skip_space();
        if (!scanner.string(key))
            return broken("it ends early");
        if (key.find('\\') != std::string_view::npos)
            return broken("a top-level name is spelled with escapes");
        scanner.skip_space();
        if (!scanner.take(':'))
            return broken("a name has no value");
        scanner.skip_space();
        const std::size_t begin = scanner.at();
        if (!scanner.value(value))
            return broken("it ends early");
        for (int field = 0; field < field_count; ++field) {
            if (key != names[field])
                continue;
            if (!values[field].empty())
                return broken("\"" + std::string(key) + "\" is given twice");
            values[field] = value;
            spans[field] = {begin, scanner.at()};
        }
        scanner.skip_space();
        if (!scanner.take(',') && scanner.peek() != '}')
            return broken("it ends early");
    }

    Envelope envelope;
    envelope.first_member = first_member;
    std::string_view kind;
    if (!plain_string(values[type], kind))
        return broken("\"type\" is missing");
    if (kind == "request")
        envelope.type = MessageType::request;
    else if (kind == "response")
        envelope.type = MessageType::response;
    else if (kind == "event")
        envelope.type = MessageType::event;
    else
        return broken("\"type\" is neither request, response nor event");

    std::string_view name;
    const Field name_field = envelope.type == MessageType::event ? event : command;
    // Some clients leave `command` out of their responses; request_seq identifies those.
    if (!plain_string(values[name_field], name) && envelope.type != MessageType::response)
        return broken("\"" + std::string(names[name_field]) + "\" is missing");
    envelope.name = name;

    if (!values[seq].empty() && !integer(values[seq], envelope.seq))
        return broken("\"seq\" is not an integer");
    if (values[seq].empty() && envelope.type == MessageType::request)
        return broken("\"seq\" is missing");
    envelope.seq_span = spans[seq];
    if (envelope.type == MessageType::response) {
        if (!integer(values[request_seq], envelope.request_seq))
            return broken("\"request_seq\" is missing");
        envelope.request_seq_span = spans[request_seq];
        envelope.success = values[success] == "true";
    }
    return envelope;
}

std::string with_seq(std::string_view body, const Envelope& envelope, std::int64_t seq, std::int64_t request_seq) {
    struct Edit {
        Envelope::Span span;
        std::string text;
    };
    Edit first{envelope.seq_span, std::to_string(seq)};
    if (first.span.end == 0) {
        first.span = {envelope.first_member, envelope.first_member};
        first.text = "\"seq\":" + first.text + ",";
    }
    std::string result;
    result.reserve(body.size() + 24);
    if (envelope.type != MessageType::response) {
        result.append(body.substr(0, first.span.begin)).append(first.text).append(body.substr(first.span.end));
        return result;
    }
    Edit second{envelope.request_seq_span, std::to_string(request_seq)};
    if (second.span.begin < first.span.begin)
        std::swap(first, second);
    result.append(body.substr(0, first.span.begin)).append(first.text);
    result.append(body.substr(first.span.end, second.span.begin - first.span.end)).append(second.text);
    result.append(body.substr(second.span.end));
    return result;
}

}  // namespace dap

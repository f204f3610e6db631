#include "dap/session.hpp"

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "dap/bridge.hpp"
#include "dap/capabilities.hpp"
#include "dap/json_text.hpp"
#include "dap/merged_mode.hpp"
#include "dap/message.hpp"
#include "dap/root_mode.hpp"
#include "dap/single_mode.hpp"
#include "dap/start_debugging.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds disconnect_within{5000};
constexpr milliseconds close_within{1000};

Error invalid_request(std::string message) {
    return {ErrorCode::invalid_request, std::move(message)};
}

std::string text_or(const nlohmann::json& value, std::string otherwise) {
    return value.is_string() ? value.get<std::string>() : std::move(otherwise);
}

/// Whether any mode looks into the arguments of this request; everything else goes on as bytes.
bool reads(const std::string& command) {
    static constexpr std::array<std::string_view, 9> read = {"initialize",
                                                             "attach",
                                                             "disconnect",
                                                             "cancel",
                                                             "setExceptionBreakpoints",
                                                             "rayTargets",
                                                             "rayAnnounce",
                                                             "setBreakpoints",
                                                             "setFunctionBreakpoints"};
    return std::find(read.begin(), read.end(), command) != read.end();
}

}  // namespace

Session::Session(int id, Bridge& bridge, Timers& timers)
    : m_id(id), m_bridge(bridge), m_timers(timers), m_close(timers) {}

Session::~Session() = default;

void Session::open(std::unique_ptr<Wire> client) {
    m_client = std::move(client);
}

std::string Session::label() const {
    return "session " + std::to_string(m_id) + (m_client_traits.id.empty() ? "" : " (" + m_client_traits.id + ")");
}

void Session::on_message(std::string body) {
    if (m_state == State::closed)
        return;
    const Result<void> valid = check_json(body);
    const Result<Envelope> envelope = valid ? scan_envelope(body) : valid.error();
    if (!envelope) {
        // Without a number there is no request to answer; the console is where its author looks.
        spdlog::warn("{}: {}", label(), envelope.error().message);
        send_event("output", {{"category", "stderr"}, {"output", "ray-dap: " + envelope.error().message + "\n"}});
        return;
    }
    if (envelope->type == MessageType::request)
        on_request(body, *envelope);
    else if (envelope->type == MessageType::response && m_mode)
        m_mode->on_response(body, *envelope);
}

void Session::on_closed(const Error& reason) {
    if (m_state == State::closed)
        return;
    if (reason.code == ErrorCode::not_dap || reason.code == ErrorCode::invalid_message) {
        spdlog::warn("{}: closed: {}", label(), reason.message);
        if (reason.code == ErrorCode::invalid_message)
            send_event("output", {{"category", "stderr"}, {"output", "ray-dap: " + reason.message + "\n"}});
    } else {
        const bool matters = m_mode && m_state != State::ended;
        spdlog::log(matters ? spdlog::level::info : spdlog::level::debug, "{}: the client is gone: {}", label(),
                    reason.message);
    }
    close();
}

void Session::on_congested(bool congested) {
    if (m_mode)
        m_mode->on_congested(congested);
}

void Session::on_request(const std::string& body, const Envelope& request) {
    const std::string& command = request.name;
    if (m_state == State::fresh && command != "initialize" && command != "disconnect") {
        respond_error(request.seq, command, invalid_request("The first request must be \"initialize\"."));
        return;
    }
    nlohmann::json arguments;
    if (reads(command))
        arguments = member(parse_json_or_null(body), "arguments");
    if (command == "initialize")
        on_initialize(request, arguments);
    else if (command == "attach")
        on_attach(request, arguments);
    else if (command == "launch")
        respond_error(request.seq, command,
                      invalid_request("ray-dap attaches to workers that wait at breakpoint(); use the request "
                                      "\"attach\" instead of \"launch\"."));
    else if (command == "disconnect")
        on_disconnect(request, arguments);
    else if (command == "rayTargets" && is_authorized(request, arguments))
        m_bridge.list_targets(*this, request.seq, member(arguments, "all") == true);
    else if (command == "rayTargets")
        return;
    else if (m_state == State::ended)
        respond_error(request.seq, command, invalid_request("The session is over."));
    else if (m_mode && !m_mode->is_over())
        m_mode->on_request(body, request, std::move(arguments));
    else
        respond_error(request.seq, command, invalid_request("The session is not attached yet."));
}

void Session::on_initialize(const Envelope& request, const nlohmann::json& arguments) {
    if (m_state != State::fresh) {
        respond_error(request.seq, request.name, invalid_request("The session is initialized already."));
        return;
    }
    if (text_or(member(arguments, "pathFormat"), "path") != "path") {
        respond_error(request.seq, request.name, invalid_request("Only \"pathFormat\": \"path\" is supported."));
        return;
    }
    m_client_traits.id = text_or(member(arguments, "clientID"), "");
    m_client_traits.adapter_id = text_or(member(arguments, "adapterID"), "ray");
    m_client_traits.shows_progress = member(arguments, "supportsProgressReporting") == true;
    m_client_traits.starts_debugging =
        member(arguments, "supportsStartDebuggingRequest") == true && m_bridge.options().offers_children;
    m_state = State::initialized;
    respond(request.seq, request.name, fixed_capabilities());
}

bool Session::is_authorized(const Envelope& request, const nlohmann::json& arguments) {
    const std::string& expected = m_bridge.options().token;
    if (expected.empty() || same_secret(expected, text_or(member(arguments, "token"), "")))
        return true;
    spdlog::warn("{}: refused \"{}\": the token is missing or wrong", label(), request.name);
    respond_error(request.seq, request.name,
                  {ErrorCode::unauthorized,
                   "This ray-dap demands a token: give the one it was started with as "
                   "attach argument \"token\" (commands: --token-file)."});
    return false;
}

void Session::on_attach(const Envelope& request, const nlohmann::json& arguments) {
    if (m_state != State::initialized || (m_mode && !m_mode->is_over())) {
        respond_error(
            request.seq, request.name,
            invalid_request("This session is attached, or about to be; open another one for another worker."));
        return;
    }
    // A former attach of this session failed, if there was one: nothing of its mode counts any more.
    m_single = nullptr;
    m_root_mode = nullptr;
    m_root = 0;
    // A one-shot id that only this bridge could give is as good as the token.
    if (const nlohmann::json& announced = member(arguments, "child"); announced.is_string()) {
        on_child_attach(request, announced.get<std::string>());
        return;
    }
    if (!is_authorized(request, arguments))
        return;
    Result<AttachArguments> read = read_attach_arguments(arguments);
    if (!read) {
        respond_error(request.seq, request.name, read.error());
        return;
    }
    switch (kind_of(*read)) {
        case SessionKind::single:
            begin_single(request.seq, std::move(*read)).find_worker();
            return;
        case SessionKind::children: {
            auto mode = std::make_unique<RootMode>(*this, m_bridge, request.seq, std::move(*read));
            m_root_mode = mode.get();
            m_mode = std::move(mode);
            break;
        }
        case SessionKind::merged:
            m_mode = std::make_unique<MergedMode>(*this, m_bridge, m_timers, request.seq, std::move(*read));
            break;
    }
    m_bridge.watchers_changed();
}

SessionKind Session::kind_of(const AttachArguments& arguments) const {
    if (arguments.sessions == SessionKind::children && !m_bridge.options().offers_children)
        return SessionKind::merged;
    if (arguments.sessions)
        return *arguments.sessions;
    if (arguments.target && m_bridge.names_one(*arguments.target))
        return SessionKind::single;
    return m_client_traits.starts_debugging ? SessionKind::children : SessionKind::merged;
}

SingleMode& Session::begin_single(std::int64_t attach_seq, AttachArguments arguments) {
    auto mode = std::make_unique<SingleMode>(*this, m_bridge, m_timers, attach_seq, std::move(arguments));
    m_single = mode.get();
    m_mode = std::move(mode);
    return *m_single;
}

void Session::on_child_attach(const Envelope& request, const std::string& announced) {
    Result<Announcement> announcement = m_bridge.take_announcement(announced);
    if (!announcement) {
        respond_error(request.seq, request.name, announcement.error());
        return;
    }
    m_root = announcement->root;
    SingleMode& mode = begin_single(request.seq, std::move(announcement->arguments));
    m_bridge.give_announced(mode, announcement->worker);
}

void Session::on_disconnect(const Envelope& request, const nlohmann::json& arguments) {
    if (m_disconnect_seq) {
        respond(request.seq, request.name, nullptr);
        return;
    }
    m_disconnect_seq = request.seq;
    if (m_mode && m_state != State::ended)
        m_mode->on_disconnect(arguments);
    else
        end("the client disconnected", false);
}

Parting Session::parting(const nlohmann::json& disconnect_arguments, bool allow_terminate) const {
    const nlohmann::json& terminate = member(disconnect_arguments, "terminateDebuggee");
    if (terminate == true && allow_terminate)
        return Parting::terminate;
    const bool suspend =
        member(disconnect_arguments, "suspendDebuggee") == true || member(disconnect_arguments, "restart") == true;
    // VS Code leaves `terminateDebuggee` out when only its window goes away (measured with code-server 4.100).
    const bool window_gone = m_client_traits.is_vscode() && !terminate.is_boolean();
    return suspend || window_gone ? Parting::hold : Parting::release;
}

void Session::announce(const Worker& worker, const AttachArguments& arguments) {
    const std::string id = m_bridge.announce(*this, worker, arguments);
    spdlog::info("{}: announces {}", label(), worker.label());
    m_announcing[ask("startDebugging", start_debugging(m_client_traits, arguments.all, worker.label(), id))] = id;
}

bool Session::answers_announcement(const Envelope& response) {
    const auto found = m_announcing.find(response.request_seq);
    if (found == m_announcing.end())
        return false;
    if (!response.success) {
        spdlog::warn("{}: the client refused to start a child session", label());
        m_bridge.expire(found->second);
    }
    m_announcing.erase(found);
    return true;
}

void Session::end(const std::string& why, bool attached) {
    if (m_state == State::closed)
        return;
    if (attached && m_state != State::ended) {
        spdlog::info("{}: ends: {}", label(), why);
        send_event("terminated");
    }
    m_state = State::ended;
    const bool asked = m_disconnect_seq.has_value();
    if (asked)
        respond(*std::exchange(m_disconnect_seq, std::nullopt), "disconnect", nullptr);
    m_close.set(asked ? close_within : disconnect_within, [this] { close(); });
}

void Session::drop(const std::string& why) {
    spdlog::warn("{}: dropped: {}", label(), why);
    close();
}

void Session::shut_down() {
    if (m_mode && m_state != State::ended)
        m_mode->shut_down();
}

void Session::close() {
    m_state = State::closed;
    m_close.clear();
    if (m_mode)
        m_mode->on_client_lost();
    m_client.reset();
    m_bridge.closed(*this);
}

void Session::respond(std::int64_t request_seq, std::string_view command, const nlohmann::json& body) {
    if (m_client)
        m_client->send(make_response(++m_seq, request_seq, command, body));
}

void Session::respond_error(std::int64_t request_seq, std::string_view command, const Error& error) {
    if (m_client)
        m_client->send(make_error_response(++m_seq, request_seq, command, error));
}

void Session::send_event(std::string_view event, const nlohmann::json& body) {
    if (m_client)
        m_client->send(make_event(++m_seq, event, body));
}

std::int64_t Session::ask(std::string_view command, const nlohmann::json& arguments) {
    if (m_client)
        m_client->send(make_request(++m_seq, command, arguments));
    return m_seq;
}

std::int64_t Session::pass(const std::string& body, const Envelope& envelope, std::int64_t request_seq) {
    if (m_client)
        m_client->send(with_seq(body, envelope, ++m_seq, request_seq));
    return m_seq;
}

void Session::pause_reading(bool paused) {
    if (m_client)
        m_client->pause_reading(paused);
}

}  // namespace dap

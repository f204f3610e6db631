#include "dap/session.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "dap/bridge.hpp"
#include "dap/capabilities.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds disconnect_within{5000};
constexpr milliseconds close_within{1000};
constexpr std::string_view progress_id = "ray-dap-wait";

Error invalid_request(std::string message) {
    return {ErrorCode::invalid_request, std::move(message)};
}

std::string text_or(const nlohmann::json& value, std::string otherwise) {
    return value.is_string() ? value.get<std::string>() : std::move(otherwise);
}

}  // namespace

Session::Session(int id, Bridge& bridge, Timers& timers)
    : m_id(id), m_bridge(bridge), m_wait_end(timers), m_close(timers) {}

Session::~Session() = default;

void Session::open(std::unique_ptr<Wire> client) {
    m_client = std::move(client);
}

std::string Session::label() const {
    return "session " + std::to_string(m_id) + (m_client_id.empty() ? "" : " (" + m_client_id + ")");
}

// ---- the client's side ----------------------------------------------------------------------------------------------

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
    if (envelope->type == MessageType::request) {
        on_request(body, *envelope);
    } else if (envelope->type == MessageType::response && m_link != nullptr) {
        const auto found = m_reverse.find(envelope->request_seq);
        if (found == m_reverse.end())
            return;
        Envelope answer = *envelope;
        answer.request_seq = found->second;
        m_reverse.erase(found);
        m_link->forward_response(body, answer);
    }
}

void Session::on_closed(const Error& reason) {
    if (m_state == State::closed)
        return;
    if (reason.code == ErrorCode::not_dap || reason.code == ErrorCode::invalid_message) {
        spdlog::warn("{}: closed: {}", label(), reason.message);
        if (reason.code == ErrorCode::invalid_message)
            send_event("output", {{"category", "stderr"}, {"output", "ray-dap: " + reason.message + "\n"}});
    } else {
        const bool matters = m_link != nullptr && !m_releasing;
        spdlog::log(matters ? spdlog::level::info : spdlog::level::debug, "{}: the client is gone: {}", label(),
                    reason.message);
    }
    if (m_link != nullptr && !m_releasing)
        leave_link(!m_arguments.resume_on_disconnect);
    close();
}

void Session::on_congested(bool congested) {
    if (m_link != nullptr)
        m_link->pause_reading(congested);
}

void Session::on_request(const std::string& body, const Envelope& envelope) {
    const std::string& command = envelope.name;
    if (m_state == State::fresh && command != "initialize" && command != "disconnect") {
        respond_error(envelope.seq, command, invalid_request("The first request must be \"initialize\"."));
        return;
    }
    // Only these are read; everything else goes on as bytes.
    const bool read = command == "initialize" || command == "attach" || command == "disconnect" ||
                      command == "cancel" || command == "setExceptionBreakpoints" || command == "rayTargets";
    nlohmann::json arguments;
    if (read)
        arguments = member(parse_json_or_null(body), "arguments");
    if (command == "initialize")
        on_initialize(envelope, arguments);
    else if (command == "attach")
        on_attach(envelope, arguments);
    else if (command == "launch")
        respond_error(envelope.seq, command,
                      invalid_request("ray-dap attaches to workers that wait at breakpoint(); use the request "
                                      "\"attach\" instead of \"launch\"."));
    else if (command == "configurationDone")
        on_configuration_done(body, envelope);
    else if (command == "setExceptionBreakpoints")
        on_set_exception_breakpoints(envelope, std::move(arguments));
    else if (command == "disconnect")
        on_disconnect(envelope, arguments);
    else if (command == "terminate")
        on_terminate(body, envelope);
    else if (command == "cancel")
        on_cancel(envelope, arguments);
    else if (command == "rayTargets")
        on_targets(envelope, arguments);
    else
        forward(body, envelope);
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
    m_client_id = text_or(member(arguments, "clientID"), "");
    m_client_shows_progress = member(arguments, "supportsProgressReporting") == true;
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
    if (m_state != State::initialized) {
        respond_error(
            request.seq, request.name,
            invalid_request("This session is attached, or about to be; open another one for another worker."));
        return;
    }
    if (!is_authorized(request, arguments))
        return;
    Result<AttachArguments> read = read_attach_arguments(arguments);
    if (!read) {
        respond_error(request.seq, request.name, read.error());
        return;
    }
    m_arguments = std::move(*read);
    m_attach_seq = request.seq;
    m_state = State::waiting;
    if (m_arguments.wait && *m_arguments.wait > milliseconds::zero())
        m_wait_end.set(*m_arguments.wait, [this] { m_bridge.give_up(*this); });
    m_snapshot_needed = m_bridge.find_worker(*this);
}

void Session::on_configuration_done(const std::string& body, const Envelope& request) {
    if (m_state != State::configuring) {
        respond_error(request.seq, request.name,
                      invalid_request("\"configurationDone\" comes after the event \"initialized\", once."));
        return;
    }
    // Whatever the client chose (or left from a former session): a post-mortem stops only with this filter.
    if (!m_filters_set)
        m_link->request("setExceptionBreakpoints", exception_filters({{"filters", nlohmann::json::array()}}));
    if (m_link->is_configured()) {
        respond(request.seq, request.name, nullptr);
        complete_attach();
    } else {
        m_link->forward(body, request);
    }
}

nlohmann::json Session::exception_filters(nlohmann::json arguments) const {
    if (!arguments.is_object())
        arguments = nlohmann::json::object();
    nlohmann::json& filters = arguments["filters"];
    if (!filters.is_array())
        filters = nlohmann::json::array();
    if (m_arguments.post_mortem && std::find(filters.begin(), filters.end(), "uncaught") == filters.end())
        filters.push_back("uncaught");
    return arguments;
}

void Session::on_set_exception_breakpoints(const Envelope& request, nlohmann::json arguments) {
    nlohmann::json message = {{"seq", request.seq},
                              {"type", "request"},
                              {"command", request.name},
                              {"arguments", exception_filters(std::move(arguments))}};
    const std::string body = dump(message);
    m_filters_set = m_filters_set || m_state == State::configuring;
    forward(body, *scan_envelope(body));
}

void Session::on_disconnect(const Envelope& request, const nlohmann::json& arguments) {
    if (m_disconnect_seq) {
        respond(request.seq, request.name, nullptr);
        return;
    }
    m_disconnect_seq = request.seq;
    if (m_attach_seq != 0 && m_state != State::active)
        fail_attach({ErrorCode::cancelled, "The client disconnected."});
    if (m_link == nullptr) {
        end("the client disconnected");
        return;
    }
    const nlohmann::json& terminate = member(arguments, "terminateDebuggee");
    if (terminate == true && m_arguments.allow_terminate) {
        m_releasing = true;
        m_link->request("terminate", nullptr);
        m_bridge.release(*m_link, label() + " terminated it");
        return;
    }
    // VS Code leaves `terminateDebuggee` out when only its window goes away (measured; facts of DAP clients).
    const bool window_gone = m_client_id == "vscode" && !terminate.is_boolean();
    const bool suspend = member(arguments, "suspendDebuggee") == true || member(arguments, "restart") == true;
    const bool hold = suspend || window_gone;
    leave_link(hold);
    if (hold)
        end("the client left");
}

void Session::on_terminate(const std::string& body, const Envelope& request) {
    if (m_link != nullptr && m_state == State::active && m_arguments.allow_terminate) {
        m_releasing = true;
        m_link->forward(body, request);
        return;
    }
    // Not offered, and never passed on without the opt-in: debugpy's `terminate` kills the worker.
    respond(request.seq, request.name, nullptr);
    if (m_link != nullptr)
        leave_link(false);
    else
        end("the client asked for the end");
}

void Session::on_cancel(const Envelope& request, const nlohmann::json& arguments) {
    const bool progress = member(arguments, "progressId") == progress_id;
    const nlohmann::json& id = member(arguments, "requestId");
    const bool waits = m_state == State::waiting || m_state == State::linking;
    respond(request.seq, request.name, nullptr);
    if (waits && (progress || (id.is_number_integer() && id == m_attach_seq))) {
        fail_attach({ErrorCode::cancelled, "The wait for a worker was cancelled."});
    } else if (m_link != nullptr && id.is_number_integer()) {
        if (const std::int64_t seq = m_link->worker_seq(id.get<std::int64_t>()); seq != 0)
            m_link->request("cancel", {{"requestId", seq}});
    }
}

void Session::on_targets(const Envelope& request, const nlohmann::json& arguments) {
    if (is_authorized(request, arguments))
        m_bridge.list_targets(*this, request.seq, member(arguments, "all") == true);
}

void Session::forward(const std::string& body, const Envelope& request) {
    if (m_link == nullptr || (m_state != State::configuring && m_state != State::active)) {
        const bool over = m_state == State::ended;
        respond_error(request.seq, request.name,
                      invalid_request(over ? "The session is over." : "The session is not attached to a worker yet."));
        return;
    }
    m_link->forward(body, request);
}

// ---- waiting for a worker -------------------------------------------------------------------------------------------

bool Session::has_tried(const Worker& worker) const {
    return m_tried.contains({worker.id, worker.paused_at});
}

void Session::show_waiting(const std::string& state) {
    if (state == m_shown)
        return;
    m_shown = state;
    if (!m_client_shows_progress) {
        send_event("output", {{"category", "console"}, {"output", "ray-dap: " + state + "\n"}});
    } else if (!m_progress_shown) {
        m_progress_shown = true;
        send_event("progressStart", {{"progressId", progress_id},
                                     {"title", "Ray"},
                                     {"message", state},
                                     {"requestId", m_attach_seq},
                                     {"cancellable", true}});
    } else {
        send_event("progressUpdate", {{"progressId", progress_id}, {"message", state}});
    }
}

void Session::end_progress() {
    if (m_progress_shown)
        send_event("progressEnd", {{"progressId", progress_id}});
    m_progress_shown = false;
    m_shown.clear();
}

void Session::fail_attach(const Error& error) {
    m_bridge.stop_finding(*this);
    m_wait_end.clear();
    end_progress();
    if (m_link != nullptr && m_state != State::active)
        leave_link(true);
    if (m_attach_seq != 0)
        respond_error(std::exchange(m_attach_seq, 0), "attach", error);
    m_tried.clear();
    m_last_failure.reset();
    m_filters_set = false;
    m_state = State::initialized;
}

void Session::use(Link& link, Connector& connector, const std::string& setup) {
    spdlog::info("{}: {} {}", label(), link.is_configured() ? "takes up the held" : "attaches to",
                 link.worker().label());
    m_state = State::linking;
    m_wait_end.clear();
    m_link = &link;
    if (link.is_configured())
        link.bind(m_arguments, setup, *this);
    else
        link.start(connector, m_arguments, setup, *this);
}

// ---- the worker's side ----------------------------------------------------------------------------------------------

void Session::on_link_ready() {
    m_state = State::configuring;
    end_progress();
    if (const nlohmann::json changed = corrected_capabilities(m_link->capabilities()); !changed.is_null())
        send_event("capabilities", {{"capabilities", changed}});
    send_event("initialized");
}

void Session::on_link_attached() {
    complete_attach();
}

void Session::complete_attach() {
    m_state = State::active;
    respond(std::exchange(m_attach_seq, 0), "attach", nullptr);
    // A link that was held: what the former client was told, the new one must hear again.
    if (!m_link->process().is_null())
        send_event("process", m_link->process());
    for (const auto& [thread, stopped] : m_link->stops())
        send_event("stopped", stopped);
}

void Session::on_link_event(const std::string& body, const Envelope& envelope) {
    // complete_attach tells of these; `terminated` follows with the link's end.
    const bool told_later = m_state != State::active && envelope.name != "output";
    if (!told_later && envelope.name != "terminated")
        m_client->send(with_seq(body, envelope, ++m_seq));
}

void Session::on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) {
    m_client->send(with_seq(body, envelope, ++m_seq, user_seq));
}

void Session::on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) {
    if (m_releasing)  // the request that asked for the end got what it wanted
        respond(user_seq, command, nullptr);
    else
        respond_error(user_seq, command, error);
}

void Session::on_link_reverse_request(const std::string& body, const Envelope& envelope) {
    m_reverse[++m_seq] = envelope.seq;
    m_client->send(with_seq(body, envelope, m_seq));
}

void Session::on_link_congested(bool congested) {
    if (m_client)
        m_client->pause_reading(congested);
}

void Session::on_link_ended(const Error& reason) {
    const Worker worker = m_link->worker();
    m_link = nullptr;
    m_reverse.clear();
    if (m_state == State::linking && m_attach_seq != 0 && !m_arguments.target) {
        // Nobody asked for this very worker: tell, and take the next.
        m_tried.insert({worker.id, worker.paused_at});
        m_last_failure = reason;
        m_state = State::waiting;
        show_waiting(reason.message + " Waiting for another.");
        m_snapshot_needed = m_bridge.find_worker(*this);
        return;
    }
    if (m_attach_seq != 0)
        fail_attach(reason);
    else
        end(reason.message);
}

void Session::leave_link(bool hold) {
    Link& link = *m_link;
    if (hold) {
        m_link = nullptr;
        m_bridge.hold(link, m_arguments.hold_for);
    } else {
        m_releasing = true;
        m_bridge.release(link, label() + " let it go");
    }
}

// ---- the end --------------------------------------------------------------------------------------------------------

void Session::end(const std::string& why) {
    if (m_state == State::closed)
        return;
    if (m_state == State::active) {
        spdlog::info("{}: ends: {}", label(), why);
        send_event("terminated");
    }
    m_state = State::ended;
    if (m_disconnect_seq)
        respond(*m_disconnect_seq, "disconnect", nullptr);
    m_close.set(m_disconnect_seq ? close_within : disconnect_within, [this] { close(); });
}

void Session::shut_down() {
    if (m_attach_seq != 0)
        fail_attach({ErrorCode::cancelled, "ray-dap is shutting down."});
    if (m_link == nullptr)
        end("ray-dap shuts down");
}

void Session::close() {
    m_state = State::closed;
    m_wait_end.clear();
    m_close.clear();
    if (m_link != nullptr)
        m_bridge.forget(*m_link);
    m_link = nullptr;
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

}  // namespace dap

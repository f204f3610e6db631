#include "dap/link.hpp"

#include <utility>

#include <spdlog/spdlog.h>

#include "dap/json_text.hpp"
#include "dap/message.hpp"
#include "dap/subprocess.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds connect_within{5000};
constexpr milliseconds handshake_within{15000};
// A busy interpreter may keep the debugger's thread waiting; without the setup a stop may be lost, so be patient.
constexpr milliseconds setup_within{10000};
constexpr milliseconds release_within{2000};
constexpr milliseconds leave_within{500};
// From configurationDone to the stop of a worker that waited: 20-100 ms; a busy interpreter takes longer.
constexpr milliseconds stop_within{2000};
// debugpy's adapter stops accepting clients for good when one comes while the former one's session is not yet cleared
// away (measured: debugpy 1.8.22; adapter/sessions.py, report_sockets, called on the accepting thread). So a link
// leaves with `disconnect`, waits for the adapter to close, and its worker rests before the next link.
constexpr milliseconds close_within{500};
constexpr milliseconds rest{200};

const std::string& text(const nlohmann::json& value) {
    static const std::string empty;
    return value.is_string() ? value.get_ref<const std::string&>() : empty;
}

std::int64_t number(const nlohmann::json& value) {
    return value.is_number_integer() ? value.get<std::int64_t>() : -1;
}

}  // namespace

Link::Link(Worker worker, std::string leave, Timers& timers, LinkOwner& owner)
    : m_worker(std::move(worker)), m_owner(owner), m_deadline(timers), m_leave(std::move(leave)) {}

void Link::start(Connector& connector, const AttachArguments& arguments, std::string setup, LinkUser* user) {
    m_user = user;
    m_attach = arguments.worker;
    if (m_worker.subprocess != 0)
        m_attach["subProcessId"] = m_worker.subprocess;
    m_setup = std::move(setup);
    m_wire = connector.connect(m_worker.ip, m_worker.port, arguments.tune_latency, *this);
    expect(connect_within, "It did not accept a connection");
}

void Link::describe(const Worker& worker) {
    m_worker.name = worker.name;
    m_worker.named = worker.named;
    m_worker.info = worker.info;
}

void Link::let_go(Connector& connector) {
    m_letting_go = true;
    AttachArguments arguments;
    arguments.worker = {{"justMyCode", true}};
    start(connector, arguments, "", nullptr);
}

void Link::bind(std::string setup, LinkUser& user) {
    m_user = &user;
    m_setup = std::move(setup);
    m_rebinding = true;
    m_unseen_stops = 0;
    m_wire->pause_reading(false);
    // Without an answer to `attach` yet, the setup follows that answer.
    if (m_state == State::attached) {
        clear_breakpoints();
        set_up();
    }
}

void Link::unbind() {
    LinkUser* user = std::exchange(m_user, nullptr);
    if (user != nullptr)
        tell_lost(*user, {ErrorCode::cancelled, "The session left " + m_worker.label() + "."});
    if (is_leaving())
        return;
    m_wire->pause_reading(false);
    if (!m_configured)
        release();
}

void Link::tell_lost(LinkUser& user, const Error& reason) {
    const auto pending = std::exchange(m_pending, {});
    for (const auto& [seq, request] : pending) {
        if (request.purpose == Purpose::user)
            user.on_link_request_lost(request.user_seq, request.command, reason);
        else
            m_pending.emplace(seq, request);
    }
}

void Link::forward(const std::string& body, const Envelope& envelope) {
    const bool sets = envelope.name == "setBreakpoints" || envelope.name == "setFunctionBreakpoints";
    note_request(envelope.name, sets ? member(parse_json_or_null(body), "arguments") : nlohmann::json());
    m_pending[++m_seq] = {Purpose::user, envelope.seq, envelope.name};
    m_wire->send(with_seq(body, envelope, m_seq));
}

void Link::ask(std::int64_t user_seq, std::string_view command, const nlohmann::json& arguments) {
    note_request(command, arguments);
    send(Purpose::user, command, arguments, user_seq);
}

void Link::request(std::string_view command, const nlohmann::json& arguments) {
    note_request(command, arguments);
    send(Purpose::nothing, command, arguments);
}

void Link::forward_response(const std::string& body, const Envelope& envelope) {
    m_wire->send(with_seq(body, envelope, ++m_seq, envelope.request_seq));
}

std::int64_t Link::worker_seq(std::int64_t user_seq) const {
    for (const auto& [seq, pending] : m_pending) {
        if (pending.purpose == Purpose::user && pending.user_seq == user_seq)
            return seq;
    }
    return 0;
}

void Link::release() {
    if (m_state == State::ended || m_state == State::releasing)
        return;
    const bool connected = m_state != State::connecting;
    m_state = State::releasing;
    // Before configurationDone this leaves the worker waiting; after it, the worker runs. Closing the connection does
    // the same (measured: debugpy 1.8.22), so the deadline loses nothing.
    if (connected && m_stop_is_due) {
        // A worker that stops just after its debugger left stands still with nobody to resume it (measured).
        m_wire->pause_reading(false);
        m_deadline.set(stop_within, [this] { send_leave(); });
    } else if (connected) {
        send_leave();
    } else {
        expect_release();
    }
}

void Link::expect_release() {
    m_deadline.set(release_within, [this] {
        end({ErrorCode::timed_out, m_worker.label() + " did not confirm its release."});
    });
}

void Link::send_leave() {
    m_stop_is_due = false;
    m_wire->pause_reading(false);
    if (!m_configured || m_letting_go) {
        send_disconnect();
        return;
    }
    send(Purpose::leave, "evaluate", {{"expression", m_leave}, {"context", "repl"}});
    m_deadline.set(leave_within, [this] {
        m_disconnecting = true;
        send_disconnect();
    });
}

void Link::send_disconnect() {
    m_stop_is_due = false;
    m_wire->pause_reading(false);
    if (m_state == State::releasing)
        expect_release();
    send(Purpose::disconnect, "disconnect", {{"restart", false}, {"terminateDebuggee", false}});
}

void Link::pause_reading(bool paused) {
    if (m_wire)
        m_wire->pause_reading(paused);
}

void Link::on_connected() {
    if (m_state != State::connecting) {
        send_disconnect();  // released meanwhile; a connection that closes without a word would harm the adapter
        return;
    }
    m_state = State::attaching;
    // debugpy takes `attach` before it answered `initialize`: one round trip less.
    send(Purpose::initialize, "initialize",
         {{"clientID", "ray-dap"},
          {"clientName", "ray-dap"},
          {"adapterID", "debugpy"},
          {"locale", "en-US"},
          {"linesStartAt1", true},
          {"columnsStartAt1", true},
          {"pathFormat", "path"},
          {"supportsVariableType", true},
          {"supportsVariablePaging", true},
          {"supportsMemoryReferences", true},
          {"supportsRunInTerminalRequest", false},
          // An unanswered startDebugging wedges debugpy's session; debugpyAttach events do not (facts: Subprocesses).
          {"supportsStartDebuggingRequest", false}});
    send(Purpose::attach, "attach", m_attach);
    expect(handshake_within, "Its debugger did not answer");
}

void Link::on_message(std::string body) {
    if (m_state == State::ended)
        return;
    const Result<Envelope> envelope = scan_envelope(body);
    if (!envelope) {
        spdlog::warn("{}: dropped a message of its debugger: {}", m_worker.label(), envelope.error().message);
        return;
    }
    if (envelope->type == MessageType::event)
        on_event(body, *envelope);
    else if (envelope->type == MessageType::response)
        on_response(body, *envelope);
    else if (m_user != nullptr)
        m_user->on_link_reverse_request(body, *envelope);
    else
        m_wire->send(make_error_response(++m_seq, envelope->seq, envelope->name,
                                         {ErrorCode::cancelled, "No client is there to answer."}));
}

void Link::on_event(const std::string& body, const Envelope& envelope) {
    if (envelope.name == "initialized") {
        if (m_state == State::attaching && m_letting_go) {
            m_configured = true;
            send(Purpose::nothing, "configurationDone", nullptr);
        } else if (m_state == State::attaching) {
            set_up();
        }
        return;
    }
    // debugpy's talk with its own tools (its adapter's clients.py); no other client needs it.
    if (envelope.name == "debugpySockets" || envelope.name == "debugpyWaitingForServer")
        return;
    note_event(body, envelope);
    // What comes before is telemetry about debugpy itself.
    if (m_user != nullptr && m_configured)
        m_user->on_link_event(body, envelope);
    else if (envelope.name == "debugpyAttach")
        announce_orphan(body);
    if (envelope.name == "terminated" && m_state != State::releasing)
        end({ErrorCode::worker_lost, m_worker.label() + " ended, or its debugger let it go."});
}

void Link::announce_orphan(const std::string& body) {
    if (const std::optional<Worker> subprocess = subprocess_of(m_worker, body))
        m_owner.on_orphan(*subprocess);
}

void Link::on_response(const std::string& body, const Envelope& envelope) {
    const auto found = m_pending.find(envelope.request_seq);
    if (found == m_pending.end())
        return;
    const Pending pending = std::move(found->second);
    m_pending.erase(found);
    if (pending.purpose == Purpose::user && m_user != nullptr)
        m_user->on_link_response(pending.user_seq, body, envelope);
    else if (pending.purpose != Purpose::user)
        on_own_response(pending, body, envelope);
}

void Link::on_own_response(const Pending& pending, const std::string& body, const Envelope& envelope) {
    const nlohmann::json message = parse_json_or_null(body);
    switch (pending.purpose) {
        case Purpose::initialize:
            m_capabilities = member(message, "body");
            break;
        case Purpose::attach:
            if (is_leaving())
                break;
            if (!envelope.success) {
                const std::string why = error_text(message);
                // debugpy's adapter/clients.py; the first debugger is not disturbed by our attempt.
                const bool busy = why.find("already being debugged") != std::string::npos;
                end({busy ? ErrorCode::worker_busy : ErrorCode::worker_refused,
                     busy ? m_worker.label() + " is being debugged by another debugger that connected directly to " +
                                m_worker.address() + ". Disconnect that one, then attach again."
                          : m_worker.label() + ": debugpy refused to attach: " + why});
                return;
            }
            m_state = State::attached;
            m_deadline.clear();
            if (m_letting_go) {
                release();
            } else if (m_rebinding && m_user != nullptr) {
                clear_breakpoints();
                set_up();
            } else if (m_user != nullptr) {
                m_user->on_link_attached();
            }
            break;
        case Purpose::setup:
            if (is_leaving() || !m_deadline.is_set())
                break;  // too late: the session goes on without
            if (!envelope.success)
                spdlog::warn("{}: the setup in the worker failed: {}", m_worker.label(), error_text(message));
            on_setup_done();
            break;
        case Purpose::leave:
            if (m_state == State::releasing && !std::exchange(m_disconnecting, true))
                send_disconnect();
            break;
        case Purpose::disconnect:
            end({ErrorCode::cancelled, m_worker.label() + " was released."});
            break;
        case Purpose::user:
        case Purpose::nothing:
            break;
    }
}

void Link::on_setup_done() {
    m_deadline.clear();
    if (!m_rebinding)
        m_state = State::configuring;
    if (m_user != nullptr)
        m_user->on_link_ready();
}

void Link::on_closed(const Error& reason) {
    if (m_state == State::ended) {
        rest_and_go();
        return;
    }
    const bool never_connected = m_state == State::connecting;
    m_wire.reset();
    if (never_connected) {
        end({ErrorCode::worker_unreachable,
             m_worker.label() + ": no connection to its debug port " + m_worker.address() + " (" + reason.message +
                 "). The worker may have ended, or this network cannot reach it: run ray-dap beside the Ray head, "
                 "and `ray-dap doctor` to check the way."});
        return;
    }
    end({ErrorCode::worker_lost, m_worker.label() + ": the connection to its debug port " + m_worker.address() +
                                     " ended (" + reason.message + ")."});
}

void Link::on_congested(bool congested) {
    if (m_user != nullptr)
        m_user->on_link_congested(congested);
}

void Link::note_event(const std::string& body, const Envelope& envelope) {
    const bool noted = envelope.name == "stopped" || envelope.name == "continued" || envelope.name == "thread" ||
                       envelope.name == "process" || envelope.name == "rayDapSuspended" ||
                       envelope.name == "rayDapResumed";
    if (!noted)
        return;
    const nlohmann::json message = parse_json_or_null(body);
    const nlohmann::json& event = member(message, "body");
    const std::int64_t thread = number(member(event, "threadId"));
    if (envelope.name == "process") {
        m_process = event;
    } else if (envelope.name == "stopped") {
        m_stops[thread] = event;
        if (std::exchange(m_stop_is_due, false) && m_state == State::releasing)
            send_leave();
        if (m_user == nullptr)
            ++m_unseen_stops;
    } else if (envelope.name == "rayDapSuspended") {
        m_suspended.insert(thread);
    } else if (envelope.name == "rayDapResumed") {
        m_suspended.erase(thread);
    } else if (envelope.name == "continued" && member(event, "allThreadsContinued") == true) {
        m_stops.clear();
    } else if (envelope.name == "continued") {
        m_stops.erase(thread);
    } else if (text(member(event, "reason")) == "exited") {
        m_stops.erase(thread);
        m_suspended.erase(thread);
    }
}

void Link::note_request(std::string_view command, const nlohmann::json& arguments) {
    const bool any = !member(arguments, "breakpoints").empty() || !member(arguments, "lines").empty();
    if (command == "configurationDone") {
        m_configured = true;
        m_stop_is_due = m_worker.waiting;
    } else if (command == "setFunctionBreakpoints")
        m_has_function_breakpoints = any;
    else if (command == "setBreakpoints" && any)
        m_sources.insert(dump(member(arguments, "source")));
    else if (command == "setBreakpoints")
        m_sources.erase(dump(member(arguments, "source")));
}

void Link::clear_breakpoints() {
    const std::set<std::string> sources = std::exchange(m_sources, {});
    for (const std::string& source : sources)
        request("setBreakpoints",
                {{"source", nlohmann::json::parse(source)}, {"breakpoints", nlohmann::json::array()}});
    if (m_has_function_breakpoints)
        request("setFunctionBreakpoints", {{"breakpoints", nlohmann::json::array()}});
}

void Link::set_up() {
    if (!m_rebinding)
        m_state = State::setting_up;
    send(Purpose::setup, "evaluate", {{"expression", m_setup}, {"context", "repl"}});
    m_deadline.set(setup_within, [this] {
        spdlog::warn("{}: no answer to the setup in the worker; going on without", m_worker.label());
        on_setup_done();
    });
}

void Link::send(Purpose purpose, std::string_view command, const nlohmann::json& arguments, std::int64_t user_seq) {
    m_pending[++m_seq] = {purpose, user_seq, std::string(command)};
    m_wire->send(make_request(m_seq, command, arguments));
}

void Link::expect(milliseconds within, std::string what) {
    m_deadline.set(within, [this, within, what = std::move(what)] {
        end({ErrorCode::worker_unreachable,
             m_worker.label() + " at " + m_worker.address() + ": " + what + " within " +
                 std::to_string(within.count() / 1000) +
                 " s. A firewall or NetworkPolicy may drop the traffic, or the process is frozen: run ray-dap beside "
                 "the Ray head, and `ray-dap doctor` to check the way."});
    });
}

void Link::end(const Error& reason) {
    if (m_state == State::ended)
        return;
    if (m_wire && m_state != State::connecting && m_state != State::attached && m_state != State::releasing)
        send_disconnect();
    m_state = State::ended;
    m_stops.clear();
    if (LinkUser* user = std::exchange(m_user, nullptr)) {
        tell_lost(*user, reason);
        user->on_link_ended(reason);
    }
    m_pending.clear();
    if (m_wire)
        m_deadline.set(close_within, [this] { rest_and_go(); });
    else
        rest_and_go();
}

void Link::rest_and_go() {
    m_wire.reset();
    m_deadline.set(rest, [this] { m_owner.on_link_gone(*this); });
}

}  // namespace dap

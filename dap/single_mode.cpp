#include "dap/single_mode.hpp"

#include <spdlog/spdlog.h>

#include "dap/bridge.hpp"
#include "dap/capabilities.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"
#include "dap/root_mode.hpp"
#include "dap/subprocess.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr std::string_view progress_id = "ray-dap-wait";

Error invalid_request(std::string message) {
    return {ErrorCode::invalid_request, std::move(message)};
}

}  // namespace

SingleMode::SingleMode(Session& session, Bridge& bridge, Timers& timers, std::int64_t attach_seq,
                       AttachArguments arguments)
    : m_session(session),
      m_bridge(bridge),
      m_wait_end(timers),
      m_attach_seq(attach_seq),
      m_arguments(std::move(arguments)) {}

// ---- waiting for a worker -------------------------------------------------------------------------------------------

void SingleMode::find_worker() {
    if (m_arguments.wait && *m_arguments.wait > milliseconds::zero() && !m_wait_end.is_set())
        m_wait_end.set(*m_arguments.wait, [this] { m_bridge.give_up(*this); });
    m_state = State::waiting;
    m_snapshot_needed = m_bridge.find_worker(*this);
}

bool SingleMode::has_tried(const Worker& worker) const {
    return m_tried.contains({worker.id, worker.paused_at});
}

void SingleMode::show_waiting(const std::string& state) {
    if (state == m_shown)
        return;
    m_shown = state;
    if (!m_session.client().shows_progress) {
        m_session.send_event("output", {{"category", "console"}, {"output", "ray-dap: " + state + "\n"}});
    } else if (!m_progress_shown) {
        m_progress_shown = true;
        m_session.send_event("progressStart", {{"progressId", progress_id},
                                               {"title", "Ray"},
                                               {"message", state},
                                               {"requestId", m_attach_seq},
                                               {"cancellable", true}});
    } else {
        m_session.send_event("progressUpdate", {{"progressId", progress_id}, {"message", state}});
    }
}

void SingleMode::end_progress() {
    if (m_progress_shown)
        m_session.send_event("progressEnd", {{"progressId", progress_id}});
    m_progress_shown = false;
    m_shown.clear();
}

void SingleMode::fail_attach(const Error& error) {
    if (m_state == State::over)
        return;
    m_state = State::over;
    m_bridge.stop_finding(*this);
    m_wait_end.clear();
    end_progress();
    if (Link* link = std::exchange(m_link, nullptr))
        m_bridge.hold(*link, m_arguments.hold_for);
    m_session.respond_error(std::exchange(m_attach_seq, 0), "attach", error);
}

void SingleMode::use(const Taken& taken) {
    spdlog::info("{}: {} {}", m_session.label(), taken.link.is_configured() ? "takes up the held" : "attaches to",
                 taken.link.worker().label());
    m_state = State::linking;
    m_wait_end.clear();
    m_link = &taken.link;
    taken.use(m_arguments, *this);
}

// ---- the client's side ----------------------------------------------------------------------------------------------

void SingleMode::on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) {
    const std::string& command = request.name;
    if (command == "configurationDone") {
        on_configuration_done(body, request);
    } else if (command == "setExceptionBreakpoints") {
        const std::string rewritten =
            make_request(request.seq, command, m_arguments.exception_filters(std::move(arguments)));
        m_filters_set = m_filters_set || m_state == State::configuring;
        forward(rewritten, *scan_envelope(rewritten));
    } else if (command == "terminate") {
        on_terminate(body, request);
    } else if (command == "cancel") {
        on_cancel(request, arguments);
    } else {
        forward(body, request);
    }
}

void SingleMode::forward(const std::string& body, const Envelope& request) {
    if (m_link == nullptr || (m_state != State::configuring && m_state != State::active))
        m_session.respond_error(request.seq, request.name,
                                invalid_request("The session is not attached to a worker yet."));
    else
        m_link->forward(body, request);
}

void SingleMode::on_configuration_done(const std::string& body, const Envelope& request) {
    if (m_state != State::configuring) {
        m_session.respond_error(request.seq, request.name,
                                invalid_request("\"configurationDone\" comes after the event \"initialized\", once."));
        return;
    }
    // Whatever the client chose (or left from a former session): a post-mortem stops only with this filter.
    if (!m_filters_set)
        m_link->request("setExceptionBreakpoints", m_arguments.exception_filters(nullptr));
    if (m_link->is_configured()) {
        m_session.respond(request.seq, request.name, nullptr);
        complete_attach();
    } else {
        m_link->forward(body, request);
    }
}

void SingleMode::on_terminate(const std::string& body, const Envelope& request) {
    if (m_state == State::active && m_arguments.allow_terminate) {
        m_releasing = true;
        m_link->forward(body, request);
        return;
    }
    // Not offered, and never passed on without the opt-in: debugpy's `terminate` kills the worker.
    m_session.respond(request.seq, request.name, nullptr);
    if (m_state == State::active) {
        part(Parting::release);
    } else {
        fail_attach({ErrorCode::cancelled, "The client asked for the end."});
        m_session.end("the client asked for the end", false);
    }
}

void SingleMode::on_cancel(const Envelope& request, const nlohmann::json& arguments) {
    const bool progress = member(arguments, "progressId") == progress_id;
    const nlohmann::json& id = member(arguments, "requestId");
    const bool waits = m_state == State::waiting || m_state == State::linking;
    m_session.respond(request.seq, request.name, nullptr);
    if (waits && (progress || (id.is_number_integer() && id == m_attach_seq))) {
        fail_attach({ErrorCode::cancelled, "The wait for a worker was cancelled."});
    } else if (m_link != nullptr && id.is_number_integer()) {
        if (const std::int64_t seq = m_link->worker_seq(id.get<std::int64_t>()); seq != 0)
            m_link->request("cancel", {{"requestId", seq}});
    }
}

void SingleMode::on_response(const std::string& body, const Envelope& response) {
    if (m_session.answers_announcement(response))
        return;
    const auto found = m_reverse.find(response.request_seq);
    if (found == m_reverse.end() || m_link == nullptr)
        return;
    Envelope answer = response;
    answer.request_seq = found->second;
    m_reverse.erase(found);
    m_link->forward_response(body, answer);
}

void SingleMode::on_disconnect(const nlohmann::json& arguments) {
    if (m_state == State::active) {
        part(m_session.parting(arguments, m_arguments.allow_terminate));
        return;
    }
    fail_attach({ErrorCode::cancelled, "The client disconnected."});
    m_session.end("the client disconnected", false);
}

void SingleMode::on_client_lost() {
    m_bridge.stop_finding(*this);
    m_wait_end.clear();
    Link* link = std::exchange(m_link, nullptr);
    if (link == nullptr)
        return;
    if (!m_releasing && !m_arguments.resume_on_disconnect) {
        m_bridge.hold(*link, m_arguments.hold_for);
        return;
    }
    link->unbind();
    if (!m_releasing)
        m_bridge.release(*link, m_session.label() + " was lost, and onDisconnect says resume");
}

void SingleMode::on_congested(bool congested) {
    if (m_link != nullptr)
        m_link->pause_reading(congested);
}

// ---- the worker's side ----------------------------------------------------------------------------------------------

void SingleMode::on_link_ready() {
    m_state = State::configuring;
    end_progress();
    apply_root_breakpoints();
    if (const nlohmann::json changed = corrected_capabilities(m_link->capabilities()); !changed.is_null())
        m_session.send_event("capabilities", {{"capabilities", changed}});
    m_session.send_event("initialized");
}

void SingleMode::apply_root_breakpoints() {
    const Session* root = m_bridge.session(m_session.root());
    if (root == nullptr || root->root_mode() == nullptr)
        return;
    // What the editor sends to the child itself replaces these.
    const RootMode::Breakpoints& breakpoints = root->root_mode()->breakpoints();
    for (const auto& [source, arguments] : breakpoints.by_source)
        m_link->request("setBreakpoints", arguments);
    if (!breakpoints.functions.is_null())
        m_link->request("setFunctionBreakpoints", breakpoints.functions);
    if (!breakpoints.exceptions.is_null()) {
        m_link->request("setExceptionBreakpoints", m_arguments.exception_filters(breakpoints.exceptions));
        m_filters_set = true;
    }
}

void SingleMode::on_link_attached() {
    complete_attach();
}

void SingleMode::complete_attach() {
    m_state = State::active;
    m_session.respond(std::exchange(m_attach_seq, 0), "attach", nullptr);
    // A link that was held: what the former client was told, the new one must hear again.
    if (!m_link->process().is_null())
        m_session.send_event("process", m_link->process());
    for (const auto& [thread, stopped] : m_link->stops())
        m_session.send_event("stopped", stopped);
}

void SingleMode::on_link_event(const std::string& body, const Envelope& envelope) {
    if (envelope.name == "debugpyAttach") {
        on_subprocess(body);
        return;
    }
    if (envelope.name == "rayDapSuspended" || envelope.name == "rayDapResumed")
        return;  // for merged sessions
    // complete_attach tells of these; `terminated` follows with the link's end.
    const bool told_later = m_state != State::active && envelope.name != "output";
    if (!told_later && envelope.name != "terminated")
        m_session.pass(body, envelope);
}

void SingleMode::on_subprocess(const std::string& body) {
    const std::optional<Worker> subprocess = subprocess_of(m_link->worker(), body);
    if (!subprocess)
        return;
    if (m_session.client().starts_debugging)
        m_session.announce(*subprocess, m_arguments);
    else
        m_bridge.let_go(*subprocess);
}

void SingleMode::on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) {
    m_session.pass(body, envelope, user_seq);
}

void SingleMode::on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) {
    if (m_releasing && command == "terminate")  // it got what it wanted
        m_session.respond(user_seq, command, nullptr);
    else
        m_session.respond_error(user_seq, command, error);
}

void SingleMode::on_link_reverse_request(const std::string& body, const Envelope& envelope) {
    m_reverse[m_session.pass(body, envelope)] = envelope.seq;
}

void SingleMode::on_link_congested(bool congested) {
    m_session.pause_reading(congested);
}

void SingleMode::on_link_ended(const Error& reason) {
    const Worker worker = std::exchange(m_link, nullptr)->worker();
    m_reverse.clear();
    m_session.pause_reading(false);
    if (m_state == State::linking && !m_arguments.target && m_session.root() == 0) {
        // Nobody asked for this very worker: tell, and take the next.
        m_tried.insert({worker.id, worker.paused_at});
        m_last_failure = reason;
        show_waiting(reason.message + " Waiting for another.");
        find_worker();
    } else if (m_attach_seq != 0) {
        fail_attach(reason);
    } else {
        end(reason.message);
    }
}

// ---- the end --------------------------------------------------------------------------------------------------------

void SingleMode::part(Parting parting) {
    m_releasing = parting != Parting::hold;
    if (parting == Parting::hold) {
        m_bridge.hold(*std::exchange(m_link, nullptr), m_arguments.hold_for);
        end("the client left");
        return;
    }
    if (parting == Parting::terminate)
        m_link->request("terminate", nullptr);
    m_bridge.release(*m_link, m_session.label() + (parting == Parting::terminate ? " terminated it" : " let it go"));
}

void SingleMode::end(const std::string& why) {
    const bool attached = m_state == State::active;
    m_state = State::over;
    m_session.end(why, attached);
}

void SingleMode::yield(Link& /*link*/, const std::string& other) {
    const std::string why = other + " took over " + m_link->worker().label();
    m_session.send_event("output", {{"category", "important"}, {"output", "ray-dap: " + why + ".\n"}});
    if (m_state == State::active) {
        m_bridge.hold(*std::exchange(m_link, nullptr), std::nullopt);
        end(why);
    } else {
        fail_attach({ErrorCode::target_in_session, why + "."});
    }
}

void SingleMode::end_by_root(Parting parting) {
    if (m_state == State::active && !m_releasing) {
        part(parting);
    } else if (m_state != State::over && m_state != State::active) {
        fail_attach({ErrorCode::cancelled, "The root session ended."});
        m_session.end("the root session ended", false);
    }
}

void SingleMode::shut_down() {
    if (m_state != State::active) {
        fail_attach({ErrorCode::cancelled, "ray-dap is shutting down."});
        m_session.end("ray-dap shuts down", false);
    }
}

}  // namespace dap

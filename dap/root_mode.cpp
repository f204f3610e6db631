#include "dap/root_mode.hpp"

#include <spdlog/spdlog.h>

#include "dap/bridge.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"

namespace dap {

RootMode::RootMode(Session& session, Bridge& bridge, std::int64_t attach_seq, AttachArguments arguments)
    : m_session(session), m_bridge(bridge), m_arguments(std::move(arguments)), m_watch(session, bridge, m_arguments) {
    spdlog::info("{}: watches for workers that pause", session.label());
    // nvim-dap warns after 4 s without an answer, so neither waits for the other.
    m_session.respond(attach_seq, "attach", nullptr);
    m_session.send_event("initialized");
}

void RootMode::look() {
    if (!m_configured || !m_watch.has_fresh_look())
        return;
    const Result<std::vector<Worker>> news = m_watch.news();
    m_watch.tell(news ? m_watch.state() : news.error().message);
    if (!news)
        return;
    for (const Worker& worker : *news)
        m_session.announce(worker, m_arguments);
}

void RootMode::on_request(const std::string& /*body*/, const Envelope& request, nlohmann::json arguments) {
    const std::string& command = request.name;
    if (command == "setBreakpoints" || command == "setFunctionBreakpoints") {
        on_set_breakpoints(request, arguments);
    } else if (command == "setExceptionBreakpoints") {
        m_breakpoints.exceptions = std::move(arguments);
        m_session.respond(request.seq, command, nullptr);
    } else if (command == "threads") {
        m_session.respond(request.seq, command, {{"threads", nlohmann::json::array()}});
    } else if (command == "configurationDone") {
        m_session.respond(request.seq, command, nullptr);
        m_configured = true;
        look();
    } else if (command == "cancel" || command == "pause") {
        m_session.respond(request.seq, command, nullptr);
    } else if (command == "rayAnnounce") {
        m_bridge.withdraw(m_session);
        m_watch.start_again();
        m_session.respond(request.seq, command, nullptr);
    } else if (command == "terminate") {
        m_session.respond(request.seq, command, nullptr);
        on_disconnect(nlohmann::json::object());
    } else {
        m_session.respond_error(request.seq, command,
                                {ErrorCode::invalid_request,
                                 "This session watches the cluster and has no worker of its "
                                 "own; select the session of a worker."});
    }
}

void RootMode::on_set_breakpoints(const Envelope& request, const nlohmann::json& arguments) {
    if (request.name == "setBreakpoints")
        m_breakpoints.by_source[dump(member(arguments, "source"))] = arguments;
    else
        m_breakpoints.functions = arguments;
    nlohmann::json answers = nlohmann::json::array();
    for (const nlohmann::json& breakpoint : member(arguments, "breakpoints")) {
        nlohmann::json answer = {
            {"id", ++m_last_breakpoint}, {"verified", false}, {"message", "Set in each worker when it is attached"}};
        if (const nlohmann::json& line = member(breakpoint, "line"); line.is_number_integer())
            answer["line"] = line;
        answers.push_back(std::move(answer));
    }
    m_session.respond(request.seq, request.name, {{"breakpoints", std::move(answers)}});
}

void RootMode::on_response(const std::string& /*body*/, const Envelope& response) {
    m_session.answers_announcement(response);
}

void RootMode::on_disconnect(const nlohmann::json& arguments) {
    m_bridge.end_children(m_session, m_session.parting(arguments, m_arguments.allow_terminate));
    m_session.end("the client disconnected", true);
}

void RootMode::shut_down() {
    m_session.end("ray-dap shuts down", true);
}

}  // namespace dap

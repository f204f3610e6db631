#include "dap/merged_worker.hpp"

#include <utility>

#include "dap/bridge.hpp"
#include "dap/json_text.hpp"
#include "dap/merged_mode.hpp"
#include "dap/message.hpp"

namespace dap {

namespace {

std::int64_t integer(const nlohmann::json& value) {
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

}  // namespace

void MergedWorker::start(const Taken& taken) {
    taken.use(m_mode.arguments(), *this);
}

void MergedWorker::configure() {
    if (m_link.is_configured())
        on_link_attached();
    else
        ask("configurationDone", nullptr, [](const Result<nlohmann::json>&) {});
}

void MergedWorker::ask(std::string_view command, const nlohmann::json& arguments, Answer answer,
                       std::int64_t client_seq) {
    m_asked[++m_last_asked] = {client_seq, std::move(answer)};
    m_link.ask(m_last_asked, command, arguments);
}

void MergedWorker::forward(std::int64_t client_seq, std::string_view command, const nlohmann::json& arguments) {
    ask(command, arguments, nullptr, client_seq);
}

void MergedWorker::cancel(std::int64_t client_seq) {
    for (const auto& [asked_seq, asked] : m_asked) {
        if (asked.client_seq != client_seq)
            continue;
        if (const std::int64_t seq = m_link.worker_seq(asked_seq); seq != 0)
            m_link.request("cancel", {{"requestId", seq}});
    }
}

// ---- the worker's side ----------------------------------------------------------------------------------------------

void MergedWorker::on_link_ready() {
    m_ready = true;
    m_mode.on_ready(*this);
}

void MergedWorker::on_link_attached() {
    m_attached = true;
    // A link that was held: what the former client was told, this one must hear, too.
    if (!m_link.process().is_null())
        m_mode.session().send_event("process", m_link.process());
    const Link::Stops stops = m_link.stops();
    for (const auto& [thread, stopped] : stops)
        on_stopped(stopped);
    m_mode.on_attached(*this);
}

void MergedWorker::on_link_event(const std::string& body, const Envelope& envelope) {
    const std::string& name = envelope.name;
    if (name == "debugpyAttach") {
        m_mode.on_subprocess(*this, body);
        return;
    }
    // What matters of it, on_link_attached tells.
    if (!m_attached && name != "output")
        return;
    // A process that ends is not the session's end; its link's end says it all.
    if (name == "exited" || name == "terminated")
        return;
    nlohmann::json event = member(parse_json_or_null(body), "body");
    if (name == "stopped") {
        on_stopped(std::move(event));
    } else if (name == "rayDapSuspended") {
        tell_suspended();
    } else if (name == "rayDapResumed") {
        on_resumed(integer(member(event, "threadId")));
    } else if (name == "continued") {
        on_continued(event);
    } else if (name == "thread") {
        on_thread(event);
    } else if (name == "breakpoint") {
        m_mode.send_breakpoints(m_mode.breakpoints().changed(m_number, member(event, "breakpoint")));
    } else {
        m_mode.ids().to_client(m_number, name, event);
        m_mode.session().send_event(name, event);
    }
}

void MergedWorker::on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) {
    const auto found = m_asked.find(user_seq);
    if (found == m_asked.end())
        return;
    const Asked asked = std::move(found->second);
    m_asked.erase(found);
    if (!asked.answer && (!envelope.success || envelope.name == "source")) {
        m_mode.session().pass(body, envelope, asked.client_seq);
        return;
    }
    nlohmann::json message = parse_json_or_null(body);
    if (asked.answer) {
        if (envelope.success)
            asked.answer(Result<nlohmann::json>(boost::system::in_place_value, member(message, "body")));
        else
            asked.answer(Error{ErrorCode::worker_refused, error_text(message)});
        return;
    }
    nlohmann::json answer = member(message, "body");
    // Only this worker's threads run on.
    if (envelope.name == "continue")
        answer = {{"allThreadsContinued", false}};
    m_mode.ids().to_client(m_number, envelope.name, answer);
    m_mode.session().respond(asked.client_seq, envelope.name, answer);
}

void MergedWorker::on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) {
    const auto found = m_asked.find(user_seq);
    if (found == m_asked.end())
        return;
    const Asked asked = std::move(found->second);
    m_asked.erase(found);
    if (asked.answer)
        asked.answer(error);
    else
        m_mode.session().respond_error(asked.client_seq, command, error);
}

void MergedWorker::on_link_reverse_request(const std::string& body, const Envelope& envelope) {
    m_mode.on_reverse_request(*this, body, envelope);
}

void MergedWorker::on_link_ended(const Error& reason) {
    m_mode.on_ended(*this, reason);
}

// ---- threads --------------------------------------------------------------------------------------------------------

std::int64_t MergedWorker::client_thread(std::int64_t thread) {
    m_threads.try_emplace(thread);
    return m_mode.ids().to_client(MergedIds::Kind::thread, m_number, thread);
}

void MergedWorker::set_stopped(std::int64_t thread, bool stopped) {
    const bool before = !m_stopped.empty();
    if (stopped)
        m_stopped.insert(thread);
    else
        m_stopped.erase(thread);
    if (const bool now = !m_stopped.empty(); now != before)
        m_mode.count_stopped(now);
}

void MergedWorker::on_stopped(nlohmann::json stopped) {
    if (!stopped.is_object())
        return;
    const std::int64_t thread = integer(member(stopped, "threadId"));
    const bool may_take_focus = m_mode.may_take_focus(*this) && member(stopped, "preserveFocusHint") != true;
    if (may_take_focus)
        m_mode.focus(*this);
    set_stopped(thread, true);
    m_mode.ids().to_client(m_number, "stopped", stopped);
    stopped["threadId"] = client_thread(thread);
    // Of all threads of the session, this one.
    stopped["allThreadsStopped"] = false;
    stopped["preserveFocusHint"] = !may_take_focus;
    if (const nlohmann::json& hit = member(stopped, "hitBreakpointIds"); hit.is_array())
        stopped["hitBreakpointIds"] = m_mode.breakpoints().client_ids(m_number, hit);
    m_mode.session().send_event("stopped", stopped);
    tell_suspended();
}

void MergedWorker::tell_suspended() {
    if (m_stopped.empty())
        return;  // the thread that they stopped for is told of first
    for (const std::int64_t thread : m_link.suspended()) {
        if (m_stopped.contains(thread))
            continue;
        set_stopped(thread, true);
        m_mode.session().send_event("stopped", {{"reason", "pause"},
                                                {"description", "Paused with another thread"},
                                                {"threadId", client_thread(thread)},
                                                {"allThreadsStopped", false},
                                                {"preserveFocusHint", true}});
    }
}

void MergedWorker::on_resumed(std::int64_t thread) {
    // A thread that stopped by itself is told of by `continued`.
    if (!m_stopped.contains(thread) || m_link.stops().contains(thread))
        return;
    set_stopped(thread, false);
    m_mode.session().send_event("continued", {{"threadId", client_thread(thread)}, {"allThreadsContinued", false}});
}

void MergedWorker::on_continued(const nlohmann::json& continued) {
    const std::int64_t thread = integer(member(continued, "threadId"));
    const bool all = member(continued, "allThreadsContinued") == true;
    const std::set<std::int64_t> threads = all ? m_stopped : std::set{thread};
    for (const std::int64_t each : threads) {
        set_stopped(each, false);
        m_mode.session().send_event("continued", {{"threadId", client_thread(each)}, {"allThreadsContinued", false}});
    }
    if (m_stopped.empty())
        m_mode.ids().forget_stop(m_number);
}

void MergedWorker::on_thread(const nlohmann::json& event) {
    const std::int64_t thread = integer(member(event, "threadId"));
    const bool exited = member(event, "reason") == "exited";
    nlohmann::json told = event;
    told["threadId"] = client_thread(thread);
    m_threads_known = false;
    if (exited) {
        m_threads.erase(thread);
        set_stopped(thread, false);
        m_mode.ids().forget_thread(m_number, thread);
    }
    m_mode.session().send_event("thread", told);
}

void MergedWorker::list_threads(std::function<void()> done) {
    if (m_threads_known || !m_attached || m_congested) {
        done();
        return;
    }
    m_listing.push_back(std::move(done));
    if (m_listing.size() > 1)
        return;
    ask("threads", nullptr, [this](const Result<nlohmann::json>& body) {
        if (body) {
            m_threads_known = true;
            m_threads.clear();
            for (const nlohmann::json& thread : member(*body, "threads")) {
                const nlohmann::json& name = member(thread, "name");
                m_threads[integer(member(thread, "id"))] = name.is_string() ? name.get<std::string>() : "";
            }
        }
        for (const auto& each : std::exchange(m_listing, {}))
            each();
    });
}

std::string MergedWorker::thread_name(const std::string& name) const {
    return m_link.worker().label() + (name.empty() || name == "MainThread" ? "" : " · " + name);
}

void MergedWorker::append_threads(nlohmann::json& threads) {
    for (const auto& [thread, name] : m_threads)
        threads.push_back({{"id", client_thread(thread)}, {"name", thread_name(name)}});
}

std::int64_t MergedWorker::stopped_thread() const {
    // debugpy's own stops first: the others stand still only because those do.
    for (const auto& [thread, stopped] : m_link.stops()) {
        if (m_stopped.contains(thread))
            return thread;
    }
    return m_stopped.empty() ? 0 : *m_stopped.begin();
}

void MergedWorker::tell_gone() {
    if (!m_stopped.empty())
        m_mode.count_stopped(false);
    m_stopped.clear();
    for (const auto& [thread, name] : m_threads)
        m_mode.session().send_event(
            "thread",
            {{"reason", "exited"}, {"threadId", m_mode.ids().to_client(MergedIds::Kind::thread, m_number, thread)}});
    m_threads.clear();
}

}  // namespace dap

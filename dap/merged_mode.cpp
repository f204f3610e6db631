#include "dap/merged_mode.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "dap/bridge.hpp"
#include "dap/capabilities.hpp"
#include "dap/everywhere.hpp"
#include "dap/gather.hpp"
#include "dap/json_text.hpp"
#include "dap/message.hpp"
#include "dap/subprocess.hpp"

namespace dap {

namespace {

using std::chrono::milliseconds;

// Links in the handshake at once: a storm of connections would only make each of them slow.
constexpr std::size_t most_joining = 64;
// A frozen worker must not keep the others' answers from the client.
constexpr milliseconds breakpoints_within{2000};
constexpr milliseconds threads_within{1000};
// A client that takes nothing for so long is gone or frozen.
constexpr milliseconds congested_for{10000};

/// Requests after which the worker runs: its next stop is what the user waits for.
bool runs(const std::string& command) {
    return command == "continue" || command == "next" || command == "stepIn" || command == "stepOut" ||
           command == "goto" || command == "pause" || command == "restartFrame";
}

}  // namespace

MergedMode::MergedMode(Session& session, Bridge& bridge, Timers& timers, std::int64_t attach_seq,
                       AttachArguments arguments)
    : m_session(session),
      m_bridge(bridge),
      m_timers(timers),
      m_attach_seq(attach_seq),
      m_arguments(std::move(arguments)),
      m_watch(session, bridge, m_arguments),
      m_wait_end(timers),
      m_congestion_end(timers) {
    spdlog::info("{}: shows all workers that pause", session.label());
    if (m_arguments.wait && *m_arguments.wait > milliseconds::zero())
        m_wait_end.set(*m_arguments.wait, [this] { fail_attach(why_nothing()); });
}

MergedMode::~MergedMode() = default;

// ---- workers join ---------------------------------------------------------------------------------------------------

void MergedMode::look() {
    if (!watches() || !m_watch.has_fresh_look())
        return;
    const Result<std::vector<Worker>> news = m_watch.news();
    if (!news && m_state == State::waiting) {
        fail_attach(news.error());
        return;
    }
    if (news) {
        for (const Worker& worker : *news) {
            if (!m_failed.contains({worker.id, worker.paused_at}))
                m_to_join.push_back(worker);
        }
    }
    // With `wait`, the client wants to hear of the first worker, or that there is none.
    if (m_state == State::waiting && !m_arguments.wait)
        begin();
    m_watch.tell(news ? m_watch.state() : news.error().message);
    join_more();
    fail_if_nothing();
}

Error MergedMode::why_nothing() const {
    return m_last_failure ? *m_last_failure : m_bridge.why_nothing(m_arguments.target);
}

void MergedMode::fail_if_nothing() {
    const bool nothing = m_workers.empty() && m_to_join.empty() && (m_last_failure || !m_bridge.is_unsettled());
    if (m_state == State::waiting && m_arguments.wait == milliseconds::zero() && nothing)
        fail_attach(why_nothing());
}

void MergedMode::begin() {
    m_state = State::open;
    m_wait_end.clear();
    m_session.respond(std::exchange(m_attach_seq, 0), "attach", nullptr);
    m_session.send_event("initialized");
}

void MergedMode::fail_attach(const Error& error) {
    m_state = State::over;
    m_wait_end.clear();
    leave_workers(true);
    m_bridge.watchers_changed();
    m_session.respond_error(std::exchange(m_attach_seq, 0), "attach", error);
}

void MergedMode::drop_queue() {
    for (const Worker& worker : std::exchange(m_to_join, {})) {
        if (worker.subprocess != 0)
            m_bridge.let_go(worker);
    }
}

void MergedMode::leave_workers(bool hold) {
    drop_queue();
    std::vector<Link*> links;
    for (const auto& [number, worker] : m_workers)
        links.push_back(&worker->link());
    for (Link* link : links) {
        if (hold) {
            m_bridge.hold(*link, m_arguments.hold_for);
            continue;
        }
        link->unbind();
        if (!link->is_leaving())
            m_bridge.release(*link, m_session.label() + " was lost, and onDisconnect says resume");
    }
    m_joining = 0;
    m_numbers.clear();
    m_workers.clear();
}

void MergedMode::join_more() {
    while (watches() && m_joining < most_joining && !m_to_join.empty()) {
        const Worker worker = std::move(m_to_join.front());
        m_to_join.pop_front();
        if (m_bridge.is_free(worker))
            join(worker);
        else
            m_watch.forget(worker.id);  // another session was faster
    }
}

void MergedMode::join(const Worker& worker) {
    const Taken taken = m_bridge.take(m_session, worker, m_arguments);
    spdlog::info("{}: {} joins", m_session.label(), worker.label());
    auto made = std::make_unique<MergedWorker>(++m_last_number, taken.link, *this);
    MergedWorker& joining = *made;
    m_numbers[&taken.link] = joining.number();
    m_workers.emplace(joining.number(), std::move(made));
    ++m_joining;
    joining.start(taken);
}

void MergedMode::on_ready(MergedWorker& worker) {
    --m_joining;
    if (m_state == State::waiting)
        begin();
    nlohmann::json corrections = corrected_capabilities(worker.link().capabilities());
    for (const auto& [name, value] : m_told_capabilities.items()) {
        if (corrections.is_object() && corrections.value(name, nlohmann::json()) == value)
            corrections.erase(name);
    }
    if (corrections.is_object() && !corrections.empty()) {
        m_told_capabilities.update(corrections);
        m_session.send_event("capabilities", {{"capabilities", corrections}});
    }
    worker.ask("setExceptionBreakpoints", m_arguments.exception_filters(m_exception_breakpoints),
               [](const Result<nlohmann::json>&) {});
    for (const auto& [key, request] : m_breakpoints.requests())
        set_up(worker, key, [] {});
    if (m_configured)
        worker.configure();
    join_more();
}

void MergedMode::set_up(MergedWorker& worker, const std::string& key, std::function<void()> done) {
    const MergedBreakpoints::Request& request = m_breakpoints.requests().at(key);
    if (!request.for_workers) {
        done();
        return;
    }
    worker.ask(
        request.command, request.arguments,
        [this, number = worker.number(), key, request_number = request.number,
         done = std::move(done)](const Result<nlohmann::json>& body) {
            if (body)
                send_breakpoints(m_breakpoints.answered(key, request_number, number, member(*body, "breakpoints")));
            done();
        });
}

void MergedMode::on_attached(MergedWorker& worker) {
    spdlog::debug("{}: {} joined", m_session.label(), worker.link().worker().label());
}

void MergedMode::on_ended(MergedWorker& worker, const Error& reason) {
    const Worker& ended = worker.link().worker();
    if (!worker.is_attached() && watches()) {
        m_failed.insert({ended.id, ended.paused_at});
        m_last_failure = reason;
        m_session.send_event("output", {{"category", "important"}, {"output", "ray-dap: " + reason.message + "\n"}});
    } else {
        spdlog::info("{}: {} left: {}", m_session.label(), ended.label(), reason.message);
    }
    remove(worker);
    join_more();
    fail_if_nothing();
    end_if_empty();
}

void MergedMode::remove(MergedWorker& worker) {
    if (!worker.is_ready())
        --m_joining;
    worker.tell_gone();
    const int number = worker.number();
    m_ids.forget(number);
    send_breakpoints(m_breakpoints.left(number));
    std::erase_if(m_reverse, [number](const auto& entry) { return entry.second.first == number; });
    m_numbers.erase(&worker.link());
    m_workers.erase(number);
}

void MergedMode::on_subprocess(MergedWorker& worker, const std::string& body) {
    const std::optional<Worker> subprocess = subprocess_of(worker.link().worker(), body);
    if (!subprocess)
        return;
    if (!watches()) {
        m_bridge.let_go(*subprocess);
        return;
    }
    m_to_join.push_front(*subprocess);
    join_more();
}

void MergedMode::on_reverse_request(MergedWorker& worker, const std::string& body, const Envelope& envelope) {
    m_reverse[m_session.pass(body, envelope)] = {worker.number(), envelope.seq};
}

void MergedMode::send_breakpoints(const std::vector<nlohmann::json>& changes) {
    for (const nlohmann::json& change : changes)
        m_session.send_event("breakpoint", change);
}

void MergedMode::count_stopped(bool more) {
    if (more)
        ++m_stopped_workers;
    else
        --m_stopped_workers;
}

bool MergedMode::may_take_focus(const MergedWorker& worker) const {
    return m_stopped_workers == 0 || m_acted == worker.number();
}

MergedWorker* MergedMode::worker(int number) const {
    const auto found = m_workers.find(number);
    return found == m_workers.end() ? nullptr : found->second.get();
}

MergedWorker* MergedMode::focused() const {
    if (MergedWorker* focused = worker(m_focus); focused != nullptr && focused->is_attached())
        return focused;
    const auto found =
        std::find_if(m_workers.begin(), m_workers.end(), [](const auto& entry) { return entry.second->is_attached(); });
    return found == m_workers.end() ? nullptr : found->second.get();
}

// ---- the client's side ----------------------------------------------------------------------------------------------

void MergedMode::on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) {
    const std::string& command = request.name;
    if (arguments.is_null())
        arguments = member(parse_json_or_null(body), "arguments");
    if (command == "cancel") {
        on_cancel(request, arguments);
    } else if (command == "terminate") {
        m_session.respond(request.seq, command, nullptr);
        // Without the opt-in it is never passed on: debugpy's `terminate` kills the worker.
        part(m_arguments.allow_terminate ? Parting::terminate : Parting::release);
    } else if (m_state != State::open) {
        m_session.respond_error(request.seq, command,
                                {ErrorCode::invalid_request, "The session is not attached to a worker yet."});
    } else if (command == "configurationDone") {
        on_configuration_done(request);
    } else if (command == "setBreakpoints" || command == "setFunctionBreakpoints") {
        on_set_breakpoints(request, std::move(arguments));
    } else if (command == "setExceptionBreakpoints") {
        m_exception_breakpoints = std::move(arguments);
        for (const auto& [number, worker] : m_workers) {
            if (worker->is_ready())
                worker->ask(command, m_arguments.exception_filters(m_exception_breakpoints),
                            [](const Result<nlohmann::json>&) {});
        }
        m_session.respond(request.seq, command, nullptr);
    } else if (command == "threads") {
        on_threads(request);
    } else if (command == "pause") {
        on_pause(request, std::move(arguments));
    } else if (command == "modules") {
        on_modules(request, arguments);
    } else if (command == "rayAnnounce") {
        m_failed.clear();
        m_watch.start_again();
        m_session.respond(request.seq, command, nullptr);
    } else if (const std::string expression = everywhere_expression(command, arguments); !expression.empty()) {
        std::vector<MergedWorker*> all;
        for (const auto& [number, worker] : m_workers)
            all.push_back(worker.get());
        evaluate_everywhere(m_timers, all, expression, request.seq, [this, seq = request.seq](const std::string& text) {
            m_session.respond(seq, "evaluate", {{"result", text}, {"variablesReference", 0}});
        });
    } else {
        to_its_worker(request, std::move(arguments));
    }
}

void MergedMode::on_configuration_done(const Envelope& request) {
    m_session.respond(request.seq, request.name, nullptr);
    if (std::exchange(m_configured, true))
        return;
    std::vector<MergedWorker*> ready;
    for (const auto& [number, worker] : m_workers) {
        if (worker->is_ready())
            ready.push_back(worker.get());
    }
    for (MergedWorker* worker : ready)
        worker->configure();
}

void MergedMode::on_set_breakpoints(const Envelope& request, nlohmann::json arguments) {
    const nlohmann::json wanted = member(arguments, "breakpoints");
    const std::string key = m_breakpoints.set(request.name, std::move(arguments));
    const std::int64_t number = m_breakpoints.requests().at(key).number;
    auto gather =
        std::make_shared<Gather>(m_timers, [this, seq = request.seq, name = request.name, key, number, wanted] {
            const bool newest = m_breakpoints.requests().at(key).number == number;
            m_session.respond(seq, name, newest ? m_breakpoints.body(key) : MergedBreakpoints::replaced_body(wanted));
        });
    for (const auto& [id, worker] : m_workers) {
        if (!worker->is_ready())
            continue;
        // One that does not read just now gets them when it does; nobody waits for it.
        const bool waits = !worker->is_congested();
        if (waits)
            gather->expect();
        set_up(*worker, key, [gather, waits] {
            if (waits)
                gather->arrived();
        });
    }
    gather->wait(breakpoints_within);
}

void MergedMode::on_threads(const Envelope& request) {
    auto gather = std::make_shared<Gather>(m_timers, [this, seq = request.seq] {
        nlohmann::json threads = nlohmann::json::array();
        for (const auto& [number, worker] : m_workers) {
            if (worker->is_attached())
                worker->append_threads(threads);
        }
        m_session.respond(seq, "threads", {{"threads", std::move(threads)}});
    });
    for (const auto& [number, worker] : m_workers) {
        gather->expect();
        worker->list_threads([gather] { gather->arrived(); });
    }
    gather->wait(threads_within);
}

void MergedMode::on_modules(const Envelope& request, const nlohmann::json& arguments) {
    const auto whole = [](const nlohmann::json& value) {
        return value.is_number_unsigned() ? value.get<std::size_t>() : 0;
    };
    auto modules = std::make_shared<nlohmann::json>(nlohmann::json::array());
    auto gather = std::make_shared<Gather>(
        m_timers, [this, seq = request.seq, modules, first = whole(member(arguments, "startModule")),
                   most = whole(member(arguments, "moduleCount"))] {
            const std::size_t begin = std::min(first, modules->size());
            const std::size_t end = most == 0 ? modules->size() : std::min(modules->size(), begin + most);
            const auto at = [&](std::size_t index) { return modules->begin() + static_cast<std::ptrdiff_t>(index); };
            m_session.respond(seq, "modules",
                              {{"modules", nlohmann::json(nlohmann::json::array_t(at(begin), at(end)))},
                               {"totalModules", modules->size()}});
        });
    for (const auto& [number, worker] : m_workers) {
        if (!worker->is_attached() || worker->is_congested())
            continue;
        gather->expect();
        worker->ask(
            "modules", nlohmann::json::object(),
            [this, number = number, modules, gather](const Result<nlohmann::json>& body) {
                if (body) {
                    nlohmann::json theirs = *body;
                    m_ids.to_client(number, "modules", theirs);
                    for (nlohmann::json& module : theirs["modules"])
                        modules->push_back(std::move(module));
                }
                gather->arrived();
            },
            request.seq);
    }
    gather->wait(breakpoints_within);
}

void MergedMode::on_pause(const Envelope& request, nlohmann::json arguments) {
    if (member(arguments, "threadId") != 0) {
        to_its_worker(request, std::move(arguments));
        return;
    }
    // Clients without a thread at hand say 0: all that run. debugpy pauses all threads of a process anyway.
    for (const auto& [number, worker] : m_workers) {
        if (worker->is_attached() && worker->stopped_thread() == 0)
            worker->ask(
                "pause", {{"threadId", 1}}, [](const Result<nlohmann::json>&) {}, request.seq);
    }
    m_session.respond(request.seq, request.name, nullptr);
}

void MergedMode::to_its_worker(const Envelope& request, nlohmann::json arguments) {
    const Result<int> number = m_ids.to_worker(request.name, arguments);
    if (!number) {
        m_session.respond_error(request.seq, request.name, number.error());
        return;
    }
    MergedWorker* worker = *number != 0 ? this->worker(*number) : focused();
    if (worker == nullptr) {
        m_session.respond_error(request.seq, request.name,
                                {ErrorCode::nothing_paused, "No worker is attached yet: none paused so far."});
        return;
    }
    if (worker->is_congested()) {
        m_session.respond_error(request.seq, request.name,
                                {ErrorCode::timed_out, worker->link().worker().label() +
                                                           " does not read what is sent to it; its process may be "
                                                           "frozen."});
        return;
    }
    m_focus = worker->number();
    if (runs(request.name))
        m_acted = worker->number();
    worker->forward(request.seq, request.name, arguments);
}

void MergedMode::on_cancel(const Envelope& request, const nlohmann::json& arguments) {
    m_session.respond(request.seq, request.name, nullptr);
    const nlohmann::json& id = member(arguments, "requestId");
    if (!id.is_number_integer() || id <= 0)
        return;
    if (m_state == State::waiting && id == m_attach_seq) {
        fail_attach({ErrorCode::cancelled, "The wait for a worker was cancelled."});
        return;
    }
    for (const auto& [number, worker] : m_workers)
        worker->cancel(id.get<std::int64_t>());
}

void MergedMode::on_response(const std::string& body, const Envelope& response) {
    const auto found = m_reverse.find(response.request_seq);
    if (found == m_reverse.end())
        return;
    Envelope answer = response;
    answer.request_seq = found->second.second;
    MergedWorker* asker = worker(found->second.first);
    m_reverse.erase(found);
    if (asker != nullptr)
        asker->link().forward_response(body, answer);
}

// ---- the end --------------------------------------------------------------------------------------------------------

void MergedMode::on_disconnect(const nlohmann::json& arguments) {
    part(m_session.parting(arguments, m_arguments.allow_terminate));
}

void MergedMode::part(Parting parting) {
    if (m_state == State::waiting) {
        fail_attach({ErrorCode::cancelled, "The client disconnected."});
        m_session.end("the client disconnected", false);
        return;
    }
    if (m_state == State::ending)
        return;
    if (m_state == State::over) {
        m_session.end("the client disconnected", false);
        return;
    }
    m_state = State::ending;
    m_bridge.watchers_changed();
    drop_queue();
    std::vector<Link*> links;
    for (const auto& [number, worker] : m_workers)
        links.push_back(&worker->link());
    for (Link* link : links) {
        if (parting == Parting::hold) {
            m_bridge.hold(*link, m_arguments.hold_for);
            continue;
        }
        if (parting == Parting::terminate)
            link->request("terminate", nullptr);
        m_bridge.release(*link, m_session.label() + (parting == Parting::terminate ? " terminated it" : " let it go"));
    }
    if (parting == Parting::hold) {
        m_numbers.clear();
        m_workers.clear();
    }
    end_if_empty();
}

void MergedMode::end_if_empty() {
    if (m_state != State::ending || !m_workers.empty())
        return;
    m_state = State::over;
    m_session.end("all workers are left", true);
}

void MergedMode::on_client_lost() {
    m_wait_end.clear();
    m_congestion_end.clear();
    const bool release = m_arguments.resume_on_disconnect || m_state == State::ending;
    m_state = State::over;
    leave_workers(!release);
}

void MergedMode::on_congested(bool congested) {
    for (const auto& [number, worker] : m_workers)
        worker->link().pause_reading(congested);
    if (!congested)
        m_congestion_end.clear();
    else if (!m_congestion_end.is_set())
        m_congestion_end.set(congested_for, [this] { m_session.drop("it does not read what is sent to it"); });
}

void MergedMode::yield(Link& link, const std::string& other) {
    const auto found = m_numbers.find(&link);
    if (found == m_numbers.end())
        return;
    MergedWorker& worker = *m_workers.at(found->second);
    m_session.send_event("output", {{"category", "important"},
                                    {"output", "ray-dap: " + other + " took over " + link.worker().label() + ".\n"}});
    m_bridge.hold(link, std::nullopt);
    remove(worker);
    join_more();
    fail_if_nothing();
}

void MergedMode::shut_down() {
    if (m_state == State::waiting) {
        fail_attach({ErrorCode::cancelled, "ray-dap is shutting down."});
        m_session.end("ray-dap shuts down", false);
    } else if (m_state == State::open) {
        m_state = State::ending;
        end_if_empty();
    }
}

bool MergedMode::has(const Link& link) const {
    return m_numbers.contains(&link);
}

}  // namespace dap

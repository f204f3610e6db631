#include "dap/bridge.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds shutdown_within{4000};

std::string list_labels(const std::vector<const Worker*>& workers) {
    constexpr std::size_t most = 10;
    std::string text;
    for (std::size_t i = 0; i < workers.size() && i < most; ++i)
        text += (i == 0 ? "" : "; ") + workers[i]->label() + " [" + workers[i]->id.substr(0, 12) + "]";
    if (workers.size() > most)
        text += "; and " + std::to_string(workers.size() - most) + " more";
    return text;
}

}  // namespace

Bridge::Bridge(WorkerSource& source, Connector& connector, Timers& timers, BridgeOptions options)
    : m_source(source),
      m_connector(connector),
      m_timers(timers),
      m_options(std::move(options)),
      m_burial(timers),
      m_shutdown_end(timers) {}

Bridge::~Bridge() {
    // Sessions point to links, so they go first; a link that still has a user would call it from its own end.
    for (const auto& [id, link] : m_links)
        link->unbind();
}

Session& Bridge::add_session() {
    const int id = ++m_last_session;
    return *m_sessions.emplace(id, std::make_unique<Session>(id, *this, m_timers)).first->second;
}

void Bridge::workers_changed() {
    assign_workers();
    answer_listings();
}

// ---- finding workers ------------------------------------------------------------------------------------------------

std::uint64_t Bridge::find_worker(Session& session) {
    m_waiting.push_back(&session);
    m_source.set_waiting_sessions(m_waiting.size());
    return m_source.refresh(session.arguments().target.has_value());
}

void Bridge::stop_finding(Session& session) {
    std::erase(m_waiting, &session);
    m_source.set_waiting_sessions(m_waiting.size());
}

void Bridge::give_up(Session& session) {
    session.fail_attach(why_nothing(session));
}

void Bridge::assign_workers() {
    const std::vector<Session*> waiting = m_waiting;
    for (Session* session : waiting) {
        const bool still_waits = std::find(m_waiting.begin(), m_waiting.end(), session) != m_waiting.end();
        if (!still_waits || m_source.snapshot().number < session->snapshot_needed())
            continue;
        if (assign_worker(*session))
            continue;
        if (session->arguments().wait == milliseconds::zero()) {
            give_up(*session);
            continue;
        }
        const std::optional<Error>& trouble = m_source.snapshot().trouble;
        const std::optional<std::string>& target = session->arguments().target;
        session->show_waiting(trouble ? trouble->message
                                      : "Waiting for a Ray worker to pause at breakpoint()" +
                                            (target ? " (target " + *target + ")" : std::string()));
    }
}

bool Bridge::assign_worker(Session& session) {
    const std::vector<Worker> workers = known_workers();
    const Result<std::vector<std::size_t>> chosen = m_source.choose(workers, session.arguments().all);
    if (!chosen) {
        session.fail_attach(chosen.error());
        return true;
    }
    const std::optional<std::string>& target = session.arguments().target;
    std::vector<const Worker*> free;
    const Link* taken = nullptr;
    for (const std::size_t index : *chosen) {
        const Worker& worker = workers[index];
        const Link* link = link_of(worker);
        if (link == nullptr) {
            // One that merely listens must be meant by its very id.
            if ((worker.waiting && !session.has_tried(worker)) || target == worker.id)
                free.push_back(&worker);
        } else if (link->is_leaving()) {
            continue;
        } else if (link->user() != nullptr) {
            taken = link;
        } else if (target || !link->stops().empty()) {
            free.push_back(&worker);
        }
    }
    if (target && free.size() > 1) {
        session.fail_attach(
            {ErrorCode::ambiguous_target, "The target \"" + *target + "\" matches " + std::to_string(free.size()) +
                                              " workers: " + list_labels(free) + ". Name one by its id or pid@ip."});
        return true;
    }
    if (target && free.empty() && taken != nullptr) {
        const Session* other = session_of(*taken);
        session.fail_attach({ErrorCode::target_in_session, taken->worker().label() + " is in " +
                                                               (other != nullptr ? other->label() : "a session") +
                                                               " already. Disconnect that one first."});
        return true;
    }
    if (free.empty())
        return false;
    give(session, **std::min_element(free.begin(), free.end(),
                                     [](const Worker* a, const Worker* b) { return a->paused_at < b->paused_at; }));
    return true;
}

void Bridge::give(Session& session, const Worker& worker) {
    stop_finding(session);
    m_hold_limits.erase(worker.id);
    Link* link = link_of(worker);
    const bool first = link == nullptr;
    if (first) {
        auto made = std::make_unique<Link>(worker, m_timers, [this](Link& ended) { on_link_ended(ended); });
        link = made.get();
        m_links.emplace(worker.id, std::move(made));
    }
    session.use(*link, m_connector, m_source.setup_expression(session.arguments().all, first));
}

Error Bridge::why_nothing(const Session& session) const {
    if (session.last_failure())
        return *session.last_failure();
    if (m_source.snapshot().trouble)
        return *m_source.snapshot().trouble;
    const std::vector<Worker> workers = known_workers();
    const std::optional<std::string>& target = session.arguments().target;
    if (target && !workers.empty()) {
        std::vector<const Worker*> all;
        for (const Worker& worker : workers)
            all.push_back(&worker);
        return {ErrorCode::no_such_target,
                "No paused worker matches \"" + *target + "\". Known: " + list_labels(all) + "."};
    }
    return {ErrorCode::nothing_paused,
            "No Ray worker is paused at a breakpoint() that could be attached. Is debugpy installed in the workers' "
            "environment, and does the code reach breakpoint()?"};
}

// ---- who has which --------------------------------------------------------------------------------------------------

const Session* Bridge::session_of(const Link& link) const {
    for (const auto& [id, session] : m_sessions) {
        if (session->has(link))
            return session.get();
    }
    return nullptr;
}

Link* Bridge::link_of(const Worker& worker) const {
    const auto found = m_links.find(worker.id);
    return found == m_links.end() ? nullptr : found->second.get();
}

std::vector<Worker> Bridge::known_workers() const {
    std::vector<Worker> workers;
    for (const auto& [id, link] : m_links) {
        if (!link->is_leaving())
            workers.push_back(link->worker());
    }
    for (const Worker& worker : m_source.snapshot().workers) {
        if (const Link* link = link_of(worker); link == nullptr || link->is_leaving())
            workers.push_back(worker);
    }
    return workers;
}

void Bridge::hold(Link& link, std::optional<milliseconds> hold_for) {
    link.unbind();
    if (link.is_leaving())
        return;
    const std::string& id = link.worker().id;
    spdlog::info("{}: held{}", link.worker().label(), link.stops().empty() ? ", running" : ", stopped");
    if (hold_for) {
        auto limit = std::make_unique<Deadline>(m_timers);
        limit->set(*hold_for, [this, &link] { release(link, "its holdFor ran out"); });
        m_hold_limits[id] = std::move(limit);
    }
    assign_workers();
}

void Bridge::release(Link& link, const std::string& why) {
    spdlog::info("{}: released: {}", link.worker().label(), why);
    link.release();
}

void Bridge::on_link_ended(Link& link) {
    const std::string id = link.worker().id;
    spdlog::debug("{}: the link ended", link.worker().label());
    if (const auto limit = m_hold_limits.find(id); limit != m_hold_limits.end())
        limit->second->clear();
    const auto found = m_links.find(id);
    m_dead_links.push_back(std::move(found->second));
    m_links.erase(found);
    bury_later();
    if (m_shutdown_done && m_links.empty())
        m_shutdown_end.set(milliseconds::zero(), m_shutdown_done);
    // Who waits for this very worker may have it now.
    if (!m_waiting.empty())
        m_source.refresh(false);
}

void Bridge::closed(Session& session) {
    stop_finding(session);
    std::erase_if(m_listings, [&session](const Listing& listing) { return listing.session == &session; });
    const auto found = m_sessions.find(session.id());
    m_dead_sessions.push_back(std::move(found->second));
    m_sessions.erase(found);
    bury_later();
}

void Bridge::bury_later() {
    m_burial.set(milliseconds::zero(), [this] {
        m_dead_sessions.clear();
        m_dead_links.clear();
        std::erase_if(m_hold_limits, [](const auto& limit) { return !limit.second->is_set(); });
    });
}

void Bridge::shut_down(std::function<void()> done) {
    m_shutdown_done = std::move(done);
    m_shutdown_end.set(m_links.empty() ? milliseconds::zero() : shutdown_within, m_shutdown_done);
    std::vector<Session*> sessions;
    for (const auto& [id, session] : m_sessions)
        sessions.push_back(session.get());
    for (Session* session : sessions)
        session->shut_down();
    std::vector<Link*> links;
    for (const auto& [id, link] : m_links)
        links.push_back(link.get());
    for (Link* link : links)
        release(*link, "ray-dap shuts down");
}

// ---- listing --------------------------------------------------------------------------------------------------------

void Bridge::list_targets(Session& session, std::int64_t request_seq, bool listening) {
    m_listings.push_back({&session, request_seq, m_source.refresh(listening)});
}

void Bridge::answer_listings() {
    const std::vector<Listing> listings = std::exchange(m_listings, {});
    for (const Listing& listing : listings) {
        if (m_source.snapshot().number < listing.snapshot_needed) {
            m_listings.push_back(listing);
            continue;
        }
        nlohmann::json body = {{"targets", targets()}};
        if (const std::optional<Error>& trouble = m_source.snapshot().trouble)
            body["trouble"] = error_body(*trouble)["error"];
        listing.session->respond(listing.request_seq, "rayTargets", body);
    }
}

nlohmann::json Bridge::targets() const {
    nlohmann::json rows = nlohmann::json::array();
    for (const Worker& worker : known_workers())
        rows.push_back(row(worker));
    return rows;
}

nlohmann::json Bridge::row(const Worker& worker) const {
    nlohmann::json result = worker.info;
    if (const Link* link = link_of(worker); link != nullptr && !link->is_leaving()) {
        result["state"] = link->user() != nullptr ? "attached" : "held";
        result["paused_threads"] = link->stops().size();
    }
    return result;
}

}  // namespace dap

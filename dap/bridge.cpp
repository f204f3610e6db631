#include "dap/bridge.hpp"

#include <algorithm>
#include <random>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace dap {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds shutdown_within{4000};
// VS Code opens children one after the other; a user may leave them unopened, not for ever.
constexpr milliseconds announced_for{60000};

// Ray reports what runs in a worker up to a second after it began.
constexpr milliseconds name_again_after{500};
constexpr int most_naming_looks = 20;

/// 128 random bits: whoever knows the id was told it.
std::string random_id() {
    std::random_device random;
    std::string id;
    for (int i = 0; i < 4; ++i)
        id += fmt::format("{:08x}", random());
    return id;
}

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
      m_naming(timers),
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

void Bridge::name_links() {
    bool wanted = false;
    for (const auto& [id, link] : m_links) {
        if (link->worker().named || link->worker().subprocess != 0)
            continue;
        const std::vector<Worker>& workers = m_source.snapshot().workers;
        const auto found = std::find_if(workers.begin(), workers.end(),
                                        [&id = id](const Worker& worker) { return worker.id == id && worker.named; });
        if (found != workers.end()) {
            link->describe(*found);
            m_naming_looks.erase(id);
        } else if (m_naming_looks[id] < most_naming_looks) {
            wanted = true;
        }
    }
    if (!wanted || m_naming.is_set())
        return;
    m_naming.set(name_again_after, [this] {
        for (const auto& [id, link] : m_links) {
            if (!link->worker().named)
                ++m_naming_looks[id];
        }
        // An attached worker is not paused for Ray: it is among those that listen.
        m_source.refresh(true);
    });
}

void Bridge::workers_changed() {
    name_links();
    std::erase_if(m_fresh_from, [this](const auto& entry) { return entry.second <= snapshot_number(); });
    assign_workers();
    // A look may end a session whose client is gone.
    std::vector<int> watchers;
    for (const auto& [id, session] : m_sessions) {
        if (session->watches())
            watchers.push_back(id);
    }
    for (const int id : watchers) {
        const auto found = m_sessions.find(id);
        if (found != m_sessions.end() && found->second->watches())
            found->second->mode()->look();
    }
    answer_listings();
}

const Session* Bridge::session(int id) const {
    const auto found = m_sessions.find(id);
    return found == m_sessions.end() ? nullptr : found->second.get();
}

std::string Bridge::trouble() const {
    const std::optional<Error>& trouble = m_source.snapshot().trouble;
    return trouble ? trouble->message : std::string();
}

// ---- finding workers ------------------------------------------------------------------------------------------------

std::uint64_t Bridge::find_worker(SingleMode& mode) {
    m_waiting.push_back(&mode);
    count_waiting();
    return m_source.refresh(mode.arguments().target.has_value());
}

void Bridge::stop_finding(SingleMode& mode) {
    std::erase(m_waiting, &mode);
    count_waiting();
}

void Bridge::count_waiting() {
    const auto watchers =
        std::count_if(m_sessions.begin(), m_sessions.end(), [](const auto& entry) { return entry.second->watches(); });
    m_source.set_waiting_sessions(m_waiting.size() + static_cast<std::size_t>(watchers));
}

void Bridge::give_up(SingleMode& mode) {
    mode.fail_attach(mode.last_failure() ? *mode.last_failure() : why_nothing(mode.arguments().target));
}

void Bridge::assign_workers() {
    const std::vector<SingleMode*> waiting = m_waiting;
    for (SingleMode* mode : waiting) {
        const bool still_waits = std::find(m_waiting.begin(), m_waiting.end(), mode) != m_waiting.end();
        if (!still_waits || snapshot_number() < mode->snapshot_needed())
            continue;
        const Assigned assigned = assign_worker(*mode);
        if (assigned == Assigned::yes)
            continue;
        if (assigned == Assigned::no && mode->arguments().wait == milliseconds::zero()) {
            give_up(*mode);
            continue;
        }
        const std::optional<std::string>& target = mode->arguments().target;
        mode->show_waiting(!trouble().empty() ? trouble()
                                              : "Waiting for a Ray worker to pause at breakpoint()" +
                                                    (target ? " (target " + *target + ")" : std::string()));
    }
}

bool Bridge::waits(const Worker& worker) const {
    const auto fresh = m_fresh_from.find(worker.id);
    return worker.waiting && (fresh == m_fresh_from.end() || fresh->second <= snapshot_number());
}

Bridge::Assigned Bridge::assign_worker(SingleMode& mode) {
    const std::vector<Worker> workers = known_workers();
    const Result<std::vector<std::size_t>> chosen = m_source.choose(workers, mode.arguments().all);
    if (!chosen) {
        mode.fail_attach(chosen.error());
        return Assigned::yes;
    }
    const std::optional<std::string>& target = mode.arguments().target;
    std::vector<const Worker*> free;
    Link* taken = nullptr;
    bool leaving = false;
    for (const std::size_t index : *chosen) {
        const Worker& worker = workers[index];
        Link* link = link_of(worker);
        const bool on_its_way = link != nullptr ? link->is_leaving() : worker.waiting && !waits(worker);
        if (on_its_way) {
            leaving = leaving || !mode.has_tried(worker);
        } else if (link == nullptr) {
            // One that merely listens must be meant by its very id.
            if ((waits(worker) && !mode.has_tried(worker)) || target == worker.id)
                free.push_back(&worker);
        } else if (link->user() != nullptr) {
            taken = link;
        } else if (target || !link->stops().empty()) {
            free.push_back(&worker);
        }
    }
    if (target && free.size() > 1) {
        mode.fail_attach(
            {ErrorCode::ambiguous_target, "The target \"" + *target + "\" matches " + std::to_string(free.size()) +
                                              " workers: " + list_labels(free) + ". Name one by its id or pid@ip."});
        return Assigned::yes;
    }
    if (target && free.empty() && taken != nullptr) {
        Session* other = session_of(*taken);
        if (!mode.arguments().take_over || other == nullptr) {
            mode.fail_attach(in_session(*taken));
            return Assigned::yes;
        }
        other->mode()->yield(*taken, mode.session().label());
        if (taken->is_leaving())
            return Assigned::soon;  // it was not attached yet: it can be had after its rest
        give(mode, taken->worker());
        return Assigned::yes;
    }
    if (free.empty())
        return leaving ? Assigned::soon : Assigned::no;
    give(mode, **std::min_element(free.begin(), free.end(),
                                  [](const Worker* a, const Worker* b) { return a->paused_at < b->paused_at; }));
    return Assigned::yes;
}

Error Bridge::in_session(const Link& link) const {
    const Session* other = session_of(link);
    return {ErrorCode::target_in_session, link.worker().label() + " is in " +
                                              (other != nullptr ? other->label() : std::string("another session")) +
                                              " already. Disconnect that one first, or take the worker over with "
                                              "\"takeOver\": true."};
}

Link& Bridge::add_link(const Worker& worker) {
    LinkOwner& owner = *this;
    return *m_links.emplace(worker.id, std::make_unique<Link>(worker, m_source.leave_expression(), m_timers, owner))
                .first->second;
}

void Bridge::give(SingleMode& mode, const Worker& worker) {
    stop_finding(mode);
    mode.use(take(mode.session(), worker, mode.arguments()));
}

Taken Bridge::take(const Session& session, const Worker& found, const AttachArguments& arguments) {
    const Worker worker = found;  // the caller's former state may own what `found` refers to
    m_hold_limits.erase(worker.id);
    m_root_of.erase(worker.id);
    if (session.root() != 0)
        m_root_of[worker.id] = session.root();
    Link* link = link_of(worker);
    const bool first = link == nullptr;
    if (first)
        link = &add_link(worker);
    return {*link, m_connector, m_source.setup_expression(arguments.all, first)};
}

void Taken::use(const AttachArguments& arguments, LinkUser& user) const {
    if (link.is_configured())
        link.bind(setup, user);
    else
        link.start(connector, arguments, setup, &user);
}

bool Bridge::is_unsettled() const {
    return !m_fresh_from.empty() ||
           std::any_of(m_links.begin(), m_links.end(), [](const auto& entry) { return entry.second->is_leaving(); });
}

bool Bridge::is_free(const Worker& worker) const {
    if (const Link* link = link_of(worker))
        return link->user() == nullptr && !link->is_leaving();
    return worker.subprocess != 0 || waits(worker);
}

Error Bridge::why_nothing(const std::optional<std::string>& target) const {
    if (m_source.snapshot().trouble)
        return *m_source.snapshot().trouble;
    const std::vector<Worker> workers = known_workers();
    if (target && !workers.empty()) {
        std::vector<const Worker*> all;
        all.reserve(workers.size());
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

Session* Bridge::session_of(const Link& link) const {
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
    // Who waits gets it by the next look, never from here: the caller may have another session in mind (takeOver).
    if (!m_waiting.empty())
        fresh_look();
}

void Bridge::release(Link& link, const std::string& why) {
    spdlog::info("{}: released: {}", link.worker().label(), why);
    link.release();
}

void Bridge::let_go(const Worker& subprocess) {
    if (m_links.contains(subprocess.id))
        return;
    spdlog::info("{}: let go, since no client takes it", subprocess.label());
    add_link(subprocess).let_go(m_connector);
}

void Bridge::on_link_gone(Link& link) {
    const std::string id = link.worker().id;
    spdlog::debug("{}: the link ended", link.worker().label());
    if (const auto limit = m_hold_limits.find(id); limit != m_hold_limits.end())
        limit->second->clear();
    m_root_of.erase(id);
    m_naming_looks.erase(id);
    const auto found = m_links.find(id);
    m_dead_links.push_back(std::move(found->second));
    m_links.erase(found);
    bury_later();
    if (m_shutdown_done && m_links.empty())
        m_shutdown_end.set(milliseconds::zero(), m_shutdown_done);
    // What the dashboard said before may be about the pause that just ended.
    m_fresh_from[id] = fresh_look();
    for (const auto& [number, session] : m_sessions) {
        if (session->mode() != nullptr)
            session->mode()->forget(id);
    }
}

void Bridge::closed(Session& session) {
    if (session.single() != nullptr)
        std::erase(m_waiting, session.single());
    withdraw(session);
    std::erase_if(m_listings, [&session](const Listing& listing) { return listing.session == session.id(); });
    const auto found = m_sessions.find(session.id());
    m_dead_sessions.push_back(std::move(found->second));
    m_sessions.erase(found);
    count_waiting();
    bury_later();
}

// ---- children -------------------------------------------------------------------------------------------------------

Result<std::vector<Pause>> Bridge::pauses(const nlohmann::json& arguments, bool with_held) const {
    const std::vector<Worker> workers = known_workers();
    const Result<std::vector<std::size_t>> chosen = m_source.choose(workers, arguments);
    if (!chosen)
        return chosen.error();
    std::vector<Pause> result;
    for (const std::size_t index : *chosen) {
        const Worker& worker = workers[index];
        const Link* link = link_of(worker);
        if (link == nullptr) {
            if (waits(worker))
                result.push_back({worker, worker.paused_at});
        } else if (link->user() == nullptr && !link->is_leaving() && !link->stops().empty() &&
                   (with_held || link->unseen_stops() > 0)) {
            result.push_back({worker, -1 - link->unseen_stops()});
        }
    }
    return result;
}

std::string Bridge::announce(const Session& session, const Worker& worker, const AttachArguments& arguments) {
    std::string id = random_id();
    Announcement announcement{session.id(), session.root_mode() != nullptr ? session.id() : session.root(), worker,
                              arguments_for(arguments, worker.id), std::make_unique<Deadline>(m_timers)};
    announcement.expiry->set(announced_for, [this, id] { expire(id); });
    m_announcements.emplace(id, std::move(announcement));
    return id;
}

Result<Announcement> Bridge::take_announcement(const std::string& id) {
    const auto found = m_announcements.find(id);
    if (found == m_announcements.end())
        return Error{ErrorCode::no_such_target,
                     "This child session was announced to nobody, was opened already, or expired. Start the root "
                     "session again, or have it announce again (rayAnnounce)."};
    Announcement announcement = std::move(found->second);
    m_announcements.erase(found);
    return announcement;
}

void Bridge::give_announced(SingleMode& mode, const Worker& worker) {
    const Link* link = link_of(worker);
    if (link != nullptr && link->is_leaving())
        mode.fail_attach({ErrorCode::worker_lost, worker.label() + " was just let go."});
    else if (link != nullptr && link->user() != nullptr)
        mode.fail_attach(in_session(*link));
    else
        give(mode, worker);
}

void Bridge::expire(const std::string& id) {
    const auto found = m_announcements.find(id);
    if (found == m_announcements.end())
        return;
    const Worker worker = found->second.worker;
    m_announcements.erase(found);
    spdlog::debug("{}: its announcement is void", worker.label());
    if (worker.subprocess != 0)
        let_go(worker);
}

void Bridge::withdraw(const Session& session) {
    std::vector<std::string> ids;
    for (const auto& [id, announcement] : m_announcements) {
        if (announcement.session == session.id())
            ids.push_back(id);
    }
    for (const std::string& id : ids)
        expire(id);
}

void Bridge::end_children(const Session& root, Parting parting) {
    std::vector<SingleMode*> children;
    for (const auto& [id, session] : m_sessions) {
        if (session->root() == root.id() && session->single() != nullptr)
            children.push_back(session->single());
    }
    for (SingleMode* child : children)
        child->end_by_root(parting);
    if (parting == Parting::hold)
        return;
    std::vector<Link*> held;
    for (const auto& [worker, number] : m_root_of) {
        const auto link = m_links.find(worker);
        if (number == root.id() && link != m_links.end() && link->second->user() == nullptr)
            held.push_back(link->second.get());
    }
    for (Link* link : held)
        release(*link, root.label() + ", which had announced it, let it go");
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
    m_listings.push_back({session.id(), request_seq, m_source.refresh(listening)});
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
        m_sessions.at(listing.session)->respond(listing.request_seq, "rayTargets", body);
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

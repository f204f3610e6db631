#include "discovery/dashboard.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <exception>
#include <functional>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "discovery/fields.hpp"
#include "discovery/text.hpp"

namespace discovery {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Trouble::Kind;

/// Below this many actors a request each is cheaper for the cluster than a list of all of them: GCS filters by id.
constexpr std::size_t actors_asked_singly = 4;
constexpr std::size_t shown_text = 300;
constexpr std::size_t parsed_text = std::size_t{64} << 10;

/// What one attempt at a request gave.
struct Reply {
    httplib::Error error = httplib::Error::Success;
    int status = 0;
    std::string content_type;
    std::string location;
    std::string body;
    bool head_arrived = false;
    bool too_large = false;
    bool timed_out = false;
};

std::string state_query(const char* resource, const std::vector<std::array<std::string, 3>>& filters) {
    std::string path = "/api/v0/" + std::string(resource) + "?detail=1&limit=" + std::to_string(state_api_limit);
    for (const auto& [key, predicate, value] : filters)
        path.append("&filter_keys=")
            .append(key)
            .append("&filter_predicates=")
            .append(predicate)
            .append("&filter_values=")
            .append(value);
    return path;
}

const std::string equal = "%3D";
const std::string unequal = "%21%3D";

/// Ids come from the dashboard itself, yet only hexadecimal ones may become part of a query.
bool plain_id(const std::string& id) {
    return !id.empty() && id.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

/// The server's own words: `msg` of Ray's JSON, else the text.
std::string server_text(const std::string& body) {
    if (const auto document = parse_document(body.substr(0, parsed_text)); document && document->is_object())
        if (const std::string message = string_field(*document, "msg"); !message.empty())
            return shortened(message, shown_text);
    return shortened(body, shown_text);
}

}  // namespace

struct Dashboard::Connection {
    Url url;
    TokenSource token;
    DashboardLimits limits;
    std::atomic<bool> stopped{false};
    std::unique_ptr<httplib::ClientImpl> client;

    Connection(Url u, TokenSource t, DashboardLimits l) : url(std::move(u)), token(std::move(t)), limits(l) {
        if (url.https)
            client = std::make_unique<httplib::SSLClient>(url.host, url.port);
        else
            client = std::make_unique<httplib::ClientImpl>(url.host, url.port);
        client->set_keep_alive(true);
        client->set_tcp_nodelay(true);
        client->set_connection_timeout(limits.connect);
        client->set_read_timeout(limits.read);
        client->set_write_timeout(limits.read);
    }

    Reply attempt(const std::string& path);
    Answer<std::string> fetch(const std::string& path);
    Trouble broken(const Reply& reply) const;
    std::optional<Trouble> refused(const Reply& reply) const;
    std::string not_a_dashboard(const std::string& what, const Reply& reply) const;

    /// GET `path` and read its document; every exception ends here.
    template <class T>
    Answer<T> ask(const std::string& path, const std::function<Outcome<T, std::string>(const nlohmann::json&)>& read) {
        try {
            auto body = fetch(path);
            if (!body)
                return body.error();
            auto document = parse_document(*body);
            if (!document)
                return misread(document.error(), *body);
            auto value = read(*document);
            if (!value)
                return misread(value.error(), *body);
            return std::move(*value);
        } catch (const std::exception& error) {
            return Trouble{Kind::rejected, "The answer of the Ray dashboard at " + url.text() +
                                               " could not be taken in: " + shortened(error.what(), shown_text) + "."};
        }
    }

    Trouble misread(const std::string& why, const std::string& body) const {
        return {Kind::not_a_dashboard, "What answers at " + url.text() + " is not a Ray dashboard: " + why +
                                           "; it begins '" + shortened(body, 80) +
                                           "'. Check the address and its path prefix (--address)."};
    }
};

Dashboard::Dashboard(Url url, TokenSource token, DashboardLimits limits)
    : m_connection(std::make_unique<Connection>(std::move(url), std::move(token), limits)) {
    std::signal(SIGPIPE, SIG_IGN);
}

Dashboard::~Dashboard() = default;

std::string Dashboard::url() const {
    return m_connection->url.text();
}

void Dashboard::stop() noexcept {
    m_connection->stopped = true;
    try {
        m_connection->client->stop();
    } catch (const std::exception&) {  // a mutex that cannot be locked; the flag alone stops the next request
    }
}

Reply Dashboard::Connection::attempt(const std::string& path) {
    Reply reply;
    httplib::Headers headers{{"Accept", "application/json"}, {"User-Agent", "ray-dap"}};
    if (const auto& bearer = token.get())
        headers.emplace("Authorization", "Bearer " + *bearer);
    const auto begun = Clock::now();
    auto last_byte = begun;
    const auto on_head = [&](const httplib::Response& response) {
        reply.head_arrived = true;
        last_byte = Clock::now();
        reply.status = response.status;
        reply.content_type = response.get_header_value("Content-Type");
        reply.location = response.get_header_value("Location");
        return true;
    };
    const auto on_bytes = [&](const char* bytes, std::size_t count) {
        last_byte = Clock::now();
        reply.too_large = reply.body.size() + count > limits.bytes;
        reply.timed_out = last_byte - begun > limits.answer;
        if (reply.too_large || reply.timed_out || stopped)
            return false;
        reply.body.append(bytes, count);
        return true;
    };
    const auto result = client->Get(url.prefix + path, headers, on_head, on_bytes);
    reply.error = result.error();
    // cpp-httplib does not tell a timeout from a closed connection; the clock does.
    const auto silence = Clock::now() - last_byte;
    if (reply.error == httplib::Error::ConnectionTimeout ||
        (reply.error == httplib::Error::Connection && silence >= limits.connect * 9 / 10) ||
        (reply.error == httplib::Error::Read && silence >= limits.read * 9 / 10))
        reply.timed_out = true;
    return reply;
}

Answer<std::string> Dashboard::Connection::fetch(const std::string& path) {
    const Trouble given_up{Kind::stopped, "The request to the Ray dashboard at " + url.text() + " was given up."};
    bool token_renewed = false;
    bool reconnected = false;
    while (true) {
        if (stopped)
            return given_up;
        const bool reused = client->is_socket_open() != 0;
        Reply reply = attempt(path);
        if (stopped)
            return given_up;
        if (reply.error != httplib::Error::Success) {
            // The dashboard may close a kept-alive connection in the moment we use it again.
            if (reused && !reconnected && !reply.head_arrived && !reply.timed_out) {
                reconnected = true;
                continue;
            }
            return broken(reply);
        }
        if ((reply.status == 401 || reply.status == 403) && !token_renewed && token.read_again()) {
            token_renewed = true;
            continue;
        }
        if (auto trouble = refused(reply))
            return std::move(*trouble);
        return std::move(reply.body);
    }
}

Trouble Dashboard::Connection::broken(const Reply& reply) const {
    const std::string at = "The Ray dashboard at " + url.text();
    if (reply.too_large)
        return {Kind::rejected,
                at + " answered with more than " + std::to_string(limits.bytes >> 20) +
                    " MiB, which is more than a list of workers can be. Check the address (--address)."};
    if (reply.timed_out)
        return {Kind::timed_out, at + " did not answer in time. If it is not just busy, check that the address is "
                                      "right and reachable from here (--address)."};
    switch (reply.error) {
        case httplib::Error::SSLServerVerification:
        case httplib::Error::SSLLoadingCerts:
            return {Kind::unreachable, at + " shows a certificate that is not trusted here. Name a file with its "
                                            "authority's certificate in SSL_CERT_FILE."};
        case httplib::Error::SSLConnection:
            return {Kind::unreachable, at + " does not speak TLS, or no version of it that we share. Ray's own "
                                            "dashboard speaks http only: check the scheme of --address."};
        case httplib::Error::Connection:
            return {Kind::unreachable,
                    at + " cannot be reached. Check that Ray runs, that its dashboard is on (ray "
                         "start --include-dashboard=true) and that the address is right (--address)."};
        default:
            return {Kind::unreachable, at +
                                           (reply.head_arrived ? " broke off in the middle of an answer."
                                                               : " closed the connection without an answer.") +
                                           " Look whether it restarts, or whether something else listens there."};
    }
}

std::string Dashboard::Connection::not_a_dashboard(const std::string& what, const Reply& reply) const {
    return "What answers at " + url.text() + " is not a Ray dashboard: it gave " + what + " (status " +
           std::to_string(reply.status) + ", content type '" + shortened(reply.content_type, 60) +
           "'). Check the address, its path prefix and proxies in between (--address).";
}

std::optional<Trouble> Dashboard::Connection::refused(const Reply& reply) const {
    const std::string at = "the Ray dashboard at " + url.text();
    const int status = reply.status;
    if (status == 401)
        return Trouble{Kind::unauthorized,
                       "Authentication failed: " + at + " wants a token (status 401); we sent " + token.describe() +
                           ". Set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, or put the token into ~/.ray/auth_token."};
    if (status == 403)
        return Trouble{Kind::forbidden, "Authentication failed: " + at +
                                            " refuses what we sent (status 403): " + token.describe() +
                                            ". Give the cluster's own token: `ray get-auth-token` shows it there."};
    if (status == 502 || status == 503 || status == 504)
        return Trouble{Kind::unreachable, "A proxy answers for " + at + " that it cannot reach it (status " +
                                              std::to_string(status) + "). Check that Ray's head runs."};
    if (status >= 300 && status < 400)
        return Trouble{Kind::not_a_dashboard,
                       not_a_dashboard("a redirection to '" + shortened(reply.location, 100) + "'", reply)};
    if (status == 404 || status == 405)
        return Trouble{Kind::not_a_dashboard, not_a_dashboard("nothing at Ray's own paths", reply)};
    const bool html = reply.content_type.find("html") != std::string::npos;
    if (html)
        return Trouble{Kind::not_a_dashboard, not_a_dashboard("a web page", reply)};
    if (status != 200)
        return Trouble{Kind::rejected, "A request was rejected by " + at + " (status " + std::to_string(status) +
                                           "): " + server_text(reply.body) +
                                           (status == 429 ? " It is asked too often; we ask again later." : "")};
    return std::nullopt;
}

Answer<Version> Dashboard::version() {
    return m_connection->ask<Version>(
        "/api/version", [](const nlohmann::json& document) -> Outcome<Version, std::string> {
            if (!document.is_object() || string_field(document, "ray_version").empty())
                return std::string("it is JSON without a `ray_version`");
            return Version{string_field(document, "ray_version"), string_field(document, "session_name")};
        });
}

Answer<Rows<WorkerRow>> Dashboard::paused_workers() {
    // Exactly these two filters are pushed down to GCS since Ray 2.36.
    return m_connection->ask<Rows<WorkerRow>>(
        state_query("workers", {{"num_paused_threads", unequal, "0"}, {"is_alive", equal, "True"}}),
        [](const nlohmann::json& document) { return read_workers(document, false); });
}

Answer<Rows<WorkerRow>> Dashboard::listening_workers() {
    return m_connection->ask<Rows<WorkerRow>>(
        state_query("workers", {{"debugger_port", unequal, "0"}, {"is_alive", equal, "True"}}),
        [](const nlohmann::json& document) { return read_workers(document, true); });
}

Answer<Rows<TaskRow>> Dashboard::running_tasks(const std::optional<std::string>& worker_id) {
    std::vector<std::array<std::string, 3>> filters{{"state", equal, "RUNNING"}};
    if (worker_id && plain_id(*worker_id))
        filters.push_back({"worker_id", equal, *worker_id});
    auto tasks = m_connection->ask<Rows<TaskRow>>(state_query("tasks", filters),
                                                  [](const nlohmann::json& document) { return read_tasks(document); });
    if (tasks && worker_id)
        std::erase_if(tasks->rows, [&](const TaskRow& row) { return row.worker_id != *worker_id; });
    return tasks;
}

Answer<Rows<ActorRow>> Dashboard::actors(const std::vector<std::string>& ids) {
    std::vector<std::vector<std::array<std::string, 3>>> queries;
    if (ids.size() > actors_asked_singly)
        queries.push_back({{"state", equal, "ALIVE"}});
    else
        for (const std::string& id : ids)
            if (plain_id(id))
                queries.push_back({{"actor_id", equal, id}});
    Rows<ActorRow> all;
    for (const auto& filters : queries) {
        auto some = m_connection->ask<Rows<ActorRow>>(
            state_query("actors", filters), [](const nlohmann::json& document) { return read_actors(document); });
        if (!some)
            return some;
        all.complete = all.complete && some->complete;
        all.warnings.insert(all.warnings.end(), some->warnings.begin(), some->warnings.end());
        for (ActorRow& row : some->rows)
            if (std::find(ids.begin(), ids.end(), row.actor_id) != ids.end())
                all.rows.push_back(std::move(row));
    }
    return all;
}

Answer<std::vector<JobRow>> Dashboard::jobs() {
    return m_connection->ask<std::vector<JobRow>>("/api/jobs/",
                                                  [](const nlohmann::json& document) { return read_jobs(document); });
}

}  // namespace discovery

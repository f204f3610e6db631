#include "fake_dashboard.hpp"

#include <stdexcept>

#include <httplib.h>

using nlohmann::json;

namespace {

json with(json object, const json& more) {
    if (more.is_object())
        object.update(more);
    return object;
}

/// `{row}` is the row itself to nlohmann_json where a reference takes it, and an array of one elsewhere.
json as_array(const json& rows) {
    return rows.is_object() ? json::array({rows}) : rows;
}

}  // namespace

FakeDashboard::FakeDashboard(std::string certificate, std::string key)
    : m_certificate(std::move(certificate)), m_key(std::move(key)) {
    start(0);
}

FakeDashboard::~FakeDashboard() {
    stop();
}

std::string FakeDashboard::url(const std::string& prefix) const {
    return (m_certificate.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(m_port) + prefix;
}

void FakeDashboard::set(const std::string& path, Reply reply) {
    set(path, [reply = std::move(reply)](const httplib::Request&) { return reply; });
}

void FakeDashboard::set(const std::string& path, Answerer answerer) {
    const std::lock_guard lock(m_mutex);
    m_answers[path] = std::move(answerer);
}

void FakeDashboard::set_rows(const std::string& resource, const json& rows, const json& more) {
    if (resource == "jobs")
        set("/api/jobs/", {.body = as_array(rows).dump()});
    else
        set("/api/v0/" + resource, {.body = state_answer(rows, more).dump()});
}

void FakeDashboard::set_token(const std::string& token) {
    const std::lock_guard lock(m_mutex);
    m_token = token;
}

std::size_t FakeDashboard::requests(const std::string& path) const {
    const std::lock_guard lock(m_mutex);
    std::size_t count = 0;
    for (const std::string& target : m_targets)
        count += target.starts_with(path) ? 1 : 0;
    return count;
}

std::vector<std::string> FakeDashboard::targets() const {
    const std::lock_guard lock(m_mutex);
    return m_targets;
}

void FakeDashboard::release() {
    const std::lock_guard lock(m_mutex);
    m_release = true;
    m_released.notify_all();
}

void FakeDashboard::stop() {
    release();
    if (m_server)
        m_server->stop();
    if (m_thread.joinable())
        m_thread.join();
    m_server.reset();
}

void FakeDashboard::restart() {
    stop();
    {
        const std::lock_guard lock(m_mutex);
        m_release = false;
    }
    start(m_port);
}

void FakeDashboard::start(int port) {
    if (m_certificate.empty())
        m_server = std::make_unique<httplib::Server>();
    else
        m_server = std::make_unique<httplib::SSLServer>(m_certificate.c_str(), m_key.c_str());
    m_server->set_tcp_nodelay(true);
    m_server->set_keep_alive_max_count(100000);
    m_server->set_keep_alive_timeout(1);
    m_server->Get(".*",
                  [this](const httplib::Request& request, httplib::Response& response) { answer(request, response); });
    if (port == 0)
        m_port = m_server->bind_to_any_port("127.0.0.1");
    else if (!m_server->bind_to_port("127.0.0.1", port))
        throw std::runtime_error("the port is taken");
    m_thread = std::thread([this] { m_server->listen_after_bind(); });
    while (!m_server->is_running())
        std::this_thread::yield();
}

void FakeDashboard::answer(const httplib::Request& request, httplib::Response& response) {
    Answerer answerer;
    {
        const std::lock_guard lock(m_mutex);
        m_targets.push_back(request.target);
        static thread_local int last_port = 0;
        if (last_port != request.remote_port) {
            last_port = request.remote_port;
            ++m_connections;
        }
        if (!m_token.empty()) {
            const std::string sent = request.get_header_value("Authorization");
            if (sent != "Bearer " + m_token) {
                response.status = sent.empty() ? 401 : 403;
                response.set_content("no", "text/plain");
                return;
            }
        }
        std::size_t longest = 0;
        for (const auto& [path, each] : m_answers)
            if (request.path.starts_with(path) && path.size() >= longest) {
                longest = path.size();
                answerer = each;
            }
    }
    const Reply reply = answerer ? answerer(request) : Reply{404, "404: Not Found", "text/plain", {}, false, false};
    response.status = reply.status;
    if (!reply.location.empty())
        response.set_header("Location", reply.location);
    if (reply.hang) {
        std::unique_lock lock(m_mutex);
        m_released.wait(lock, [this] { return m_release; });
    }
    if (reply.cut_short)
        response.set_content_provider(reply.body.size() + 100, reply.content_type,
                                      [body = reply.body](std::size_t offset, std::size_t, httplib::DataSink& sink) {
                                          return offset == 0 && sink.write(body.data(), body.size());
                                      });
    else
        response.set_content(reply.body, reply.content_type);
}

json worker_row(const std::string& id, int paused_threads, const json& more) {
    constexpr auto no_time = 18446744073709551615ULL;
    return with({{"worker_id", id},
                 {"is_alive", true},
                 {"worker_type", "WORKER"},
                 {"exit_type", nullptr},
                 {"node_id", "3c6e169db20bf7df0927902c19bf075fee8a405197d450c0bafbaff0"},
                 {"ip", "10.0.0.1"},
                 {"pid", 4711},
                 {"exit_detail", nullptr},
                 {"worker_launch_time_ms", no_time},
                 {"debugger_port", 40001},
                 {"num_paused_threads", paused_threads > 0 ? json(paused_threads) : json(nullptr)}},
                more);
}

json task_row(const std::string& worker, const std::string& function, const json& more) {
    return with({{"task_id", "e0dc174c83599034ffffffffffffffffffffffff01000000"},
                 {"worker_id", worker},
                 {"name", function},
                 {"func_or_class_name", function},
                 {"type", "NORMAL_TASK"},
                 {"state", "RUNNING"},
                 {"actor_id", nullptr},
                 {"job_id", "01000000"},
                 {"attempt_number", 0},
                 {"start_time_ms", 1795444669803.0},
                 {"creation_time_ms", 1795444669796.0},
                 {"runtime_env_info", {{"serialized_runtime_env", "{}"}}}},
                more);
}

json state_answer(const json& row_or_rows, const json& more) {
    const json rows = as_array(row_or_rows);
    return {{"result", true},
            {"msg", ""},
            {"data",
             {{"result", with({{"total", rows.size()},
                               {"num_after_truncation", rows.size()},
                               {"num_filtered", rows.size()},
                               {"result", rows},
                               {"partial_failure_warning", ""},
                               {"warnings", nullptr}},
                              more)}}}};
}

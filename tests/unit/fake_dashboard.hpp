// A Ray dashboard of lies, for tests: an HTTP server on loopback whose answers tests set, and which counts.
//
// Serves from threads of its own; every member is safe from any thread. The destructor stops and joins. restart()
// serves again on the same port after stop().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

namespace httplib {
struct Request;
struct Response;
class Server;
}  // namespace httplib

class FakeDashboard {
  public:
    struct Reply {
        int status = 200;
        std::string body = {};
        std::string content_type = "application/json";
        std::string location = {};
        bool cut_short = false;  ///< announces more bytes than it sends
        bool hang = false;       ///< sends nothing until release() or the end
    };
    using Answerer = std::function<Reply(const httplib::Request&)>;

    /// With certificate and key (PEM files) it speaks https.
    explicit FakeDashboard(std::string certificate = {}, std::string key = {});
    ~FakeDashboard();
    FakeDashboard(const FakeDashboard&) = delete;
    FakeDashboard& operator=(const FakeDashboard&) = delete;

    int port() const { return m_port; }
    std::string url(const std::string& prefix = {}) const;

    /// Answers every request whose path starts with `path`; the longest such path decides.
    void set(const std::string& path, Reply reply);
    void set(const std::string& path, Answerer answerer);
    /// Workers, tasks, actors or jobs as the state API wraps them.
    void set_rows(const std::string& resource, const nlohmann::json& rows, const nlohmann::json& more = {});
    /// Demands this token; empty: none.
    void set_token(const std::string& token);

    std::size_t requests(const std::string& path = "/") const;
    std::vector<std::string> targets() const;  ///< of all requests, query included
    std::size_t connections() const { return m_connections; }

    void release();
    void stop();
    void restart();

  private:
    void start(int port);
    void answer(const httplib::Request& request, httplib::Response& response);

    const std::string m_certificate;
    const std::string m_key;
    std::unique_ptr<httplib::Server> m_server;
    std::thread m_thread;
    int m_port = 0;
    std::atomic<std::size_t> m_connections{0};
    mutable std::mutex m_mutex;
    std::condition_variable m_released;
    bool m_release = false;
    std::string m_token;
    std::map<std::string, Answerer> m_answers;
    std::vector<std::string> m_targets;
};

/// A row of the workers API, as Ray 2.60 gives it; `more` overrides fields.
nlohmann::json worker_row(const std::string& id, int paused_threads = 1, const nlohmann::json& more = {});
/// A row of the tasks API: a RUNNING normal task.
nlohmann::json task_row(const std::string& worker, const std::string& function, const nlohmann::json& more = {});
/// The state API's envelope around rows.
nlohmann::json state_answer(const nlohmann::json& rows, const nlohmann::json& more = {});

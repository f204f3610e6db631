// Asks the Ray dashboard what is paused and what runs where: a blocking client over one kept-alive connection.
//
// Thread: all calls from one thread, but stop(), which any thread may call. Errors: values; no exception escapes.
// Every request ends: by its answer, its timeouts or stop(). Certificates of https addresses are checked against the
// system's authorities, and SSL_CERT_FILE's where that is set (OpenSSL). SIGPIPE is ignored in the whole process from
// the first Dashboard on: cpp-httplib writes to sockets that the other side may have closed.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "discovery/answer.hpp"
#include "discovery/rows.hpp"
#include "discovery/token.hpp"
#include "discovery/url.hpp"

namespace discovery {

struct DashboardLimits {
    std::chrono::milliseconds connect{2000};
    std::chrono::milliseconds read{5000};        ///< without a byte
    std::chrono::milliseconds answer{30000};     ///< for a whole answer
    std::size_t bytes = std::size_t{256} << 20;  ///< of one answer
};

/// What /api/version says.
struct Version {
    std::string ray_version;
    std::string session_name;
};

class Dashboard {
  public:
    explicit Dashboard(Url url, TokenSource token = TokenSource(), DashboardLimits limits = {});
    ~Dashboard();
    Dashboard(const Dashboard&) = delete;
    Dashboard& operator=(const Dashboard&) = delete;

    Answer<Version> version();
    /// Workers with threads that wait for a debugger (`num_paused_threads`; a task's `is_debugger_paused` is never
    /// set).
    Answer<Rows<WorkerRow>> paused_workers();
    /// Workers with a debug port, paused or not.
    Answer<Rows<WorkerRow>> listening_workers();
    /// Tasks that run now, of the whole cluster or of one worker.
    Answer<Rows<TaskRow>> running_tasks(const std::optional<std::string>& worker_id = std::nullopt);
    /// The actors `ids`: a few are asked for one by one, many in one list.
    Answer<Rows<ActorRow>> actors(const std::vector<std::string>& ids);
    Answer<std::vector<JobRow>> jobs();

    /// Makes the request under way and all later ones fail with Trouble::Kind::stopped. From any thread. One that
    /// is just connecting is waited for (`limits.connect`); call again where a request may be about to start.
    void stop() noexcept;

    /// Address as users know it.
    std::string url() const;

  private:
    struct Connection;
    std::unique_ptr<Connection> m_connection;
};

}  // namespace discovery

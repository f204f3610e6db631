// One worker's part in a merged session: its link, its threads, and which of them stand still for the client.
//
// Owned by MergedMode, used on the I/O thread. Ids here are the worker's own unless a name says "client".
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "dap/link.hpp"

namespace dap {

class MergedMode;
struct Taken;

class MergedWorker : private LinkUser {
  public:
    /// The body of the worker's response, or why there is none.
    using Answer = std::function<void(const Result<nlohmann::json>& body)>;

    MergedWorker(int number, Link& link, MergedMode& mode) : m_number(number), m_link(link), m_mode(mode) {}
    ~MergedWorker() override = default;
    MergedWorker(const MergedWorker&) = delete;
    MergedWorker& operator=(const MergedWorker&) = delete;

    /// Unique in the session, from 1 on.
    int number() const { return m_number; }
    Link& link() const { return m_link; }
    void start(const Taken& taken);
    bool is_ready() const { return m_ready; }
    bool is_attached() const { return m_attached; }
    /// Whether it reads too slowly for any more requests.
    bool is_congested() const { return m_congested; }

    /// Has the worker take part: configurationDone, unless its link was held.
    void configure();
    /// Sends a request of the session's own. `client_seq`: the client's request it belongs to, 0 for none.
    void ask(std::string_view command, const nlohmann::json& arguments, Answer answer, std::int64_t client_seq = 0);
    /// Sends a client's request, ids rewritten already; the answer goes to the client.
    void forward(std::int64_t client_seq, std::string_view command, const nlohmann::json& arguments);
    /// Cancels what belongs to that request of the client.
    void cancel(std::int64_t client_seq);

    /// Learns the names of its threads where they may have changed, then calls `done`, perhaps at once.
    void list_threads(std::function<void()> done);
    /// Appends its threads as the client is to see them (DAP, "Thread").
    void append_threads(nlohmann::json& threads);
    /// A thread that stands still, of those the best to look at; 0: none.
    std::int64_t stopped_thread() const;
    /// The session leaves it: the client hears that its threads are gone.
    void tell_gone();

  private:
    struct Asked {
        std::int64_t client_seq;
        Answer answer;  ///< empty: the client is answered
    };

    void on_link_ready() override;
    void on_link_attached() override;
    void on_link_event(const std::string& body, const Envelope& envelope) override;
    void on_link_response(std::int64_t user_seq, const std::string& body, const Envelope& envelope) override;
    void on_link_request_lost(std::int64_t user_seq, const std::string& command, const Error& error) override;
    void on_link_reverse_request(const std::string& body, const Envelope& envelope) override;
    void on_link_ended(const Error& reason) override;
    void on_link_congested(bool congested) override { m_congested = congested; }

    void on_stopped(nlohmann::json stopped);
    /// Tells of threads that stand still because another one stopped.
    void tell_suspended();
    void on_resumed(std::int64_t thread);
    void on_continued(const nlohmann::json& continued);
    void on_thread(const nlohmann::json& thread);
    void set_stopped(std::int64_t thread, bool stopped);
    std::int64_t client_thread(std::int64_t thread);
    std::string thread_name(const std::string& name) const;

    int m_number;
    Link& m_link;
    MergedMode& m_mode;
    bool m_ready = false;
    bool m_attached = false;
    bool m_congested = false;
    std::int64_t m_last_asked = 0;
    std::unordered_map<std::int64_t, Asked> m_asked;
    bool m_threads_known = false;
    std::vector<std::function<void()>> m_listing;   ///< who waits for the names of the threads
    std::map<std::int64_t, std::string> m_threads;  ///< that the client was told of, with their names where known
    std::set<std::int64_t> m_stopped;               ///< as the client was told
};

}  // namespace dap

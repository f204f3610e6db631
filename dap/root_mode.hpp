// A session that watches the cluster and has its client start a child session for each worker that pauses.
//
// Every worker is announced with `startDebugging` and an unguessable one-shot id; the child that connects with that id
// attaches it. The root has no worker of its own. See SessionMode for threads and ownership.
#pragma once

#include <map>
#include <string>

#include "dap/attach_arguments.hpp"
#include "dap/cluster_watch.hpp"
#include "dap/session.hpp"
#include "dap/session_mode.hpp"

namespace dap {

class RootMode : public SessionMode {
  public:
    /// Breakpoints that the editor set in the root, as arguments of their requests.
    struct Breakpoints {
        std::map<std::string, nlohmann::json> by_source;  ///< setBreakpoints, by source as JSON text
        nlohmann::json functions;                         ///< setFunctionBreakpoints; null: none
        nlohmann::json exceptions;                        ///< setExceptionBreakpoints; null: none
    };

    /// Answers the attach at once: a root waits for nothing.
    RootMode(Session& session, Bridge& bridge, std::int64_t attach_seq, AttachArguments arguments);

    const AttachArguments& arguments() const { return m_arguments; }
    const Breakpoints& breakpoints() const { return m_breakpoints; }

    /// Announces what is new. Before configurationDone it does nothing: the client is still about to set the
    /// breakpoints that each child is to have.
    void look() override;
    bool watches() const override { return true; }
    void forget(const std::string& worker_id) override { m_watch.forget(worker_id); }
    bool is_over() const override { return false; }
    void on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) override;
    void on_response(const std::string& body, const Envelope& response) override;
    void on_disconnect(const nlohmann::json& arguments) override;
    void on_client_lost() override {}
    void on_congested(bool /*congested*/) override {}
    void shut_down() override;
    bool has(const Link& /*link*/) const override { return false; }

  private:
    void on_set_breakpoints(const Envelope& request, const nlohmann::json& arguments);

    Session& m_session;
    Bridge& m_bridge;
    AttachArguments m_arguments;
    ClusterWatch m_watch;
    bool m_configured = false;
    Breakpoints m_breakpoints;
    std::int64_t m_last_breakpoint = 0;
};

}  // namespace dap

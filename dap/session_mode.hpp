// What a session does once it was told what to attach to: one worker (SingleMode), a watch over the cluster that has
// the client open a session for each (RootMode), or many workers as threads (MergedMode).
//
// A mode is owned by its Session and used on the I/O thread. It speaks to the client through the session, and never
// hears of `initialize`, `attach`, `disconnect` twice, or broken messages: the session answers those.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "dap/envelope.hpp"
#include "dap/error.hpp"

namespace dap {

class Link;

class SessionMode {
  public:
    virtual ~SessionMode() = default;

    /// Whether the attach failed: the client may try again.
    virtual bool is_over() const = 0;
    /// Any request but those that the session answers itself. `arguments` is read where Session::reads says so.
    virtual void on_request(const std::string& body, const Envelope& request, nlohmann::json arguments) = 0;
    /// The client's answer to a request of ours or of the worker.
    virtual void on_response(const std::string& body, const Envelope& response) = 0;
    /// The client's first `disconnect`. The mode sees to the end, at once or later, by Session::end.
    virtual void on_disconnect(const nlohmann::json& arguments) = 0;
    /// The client is gone without `disconnect`. Nothing can be said to it any more.
    virtual void on_client_lost() = 0;
    virtual void on_congested(bool congested) = 0;
    /// The bridge ends. Whoever waits is answered; links are left to the bridge.
    virtual void shut_down() = 0;
    /// Whether it uses `link`.
    virtual bool has(const Link& link) const = 0;
    /// Another session, named for people, takes the worker of `link` over; the link stays as it is, for that one.
    virtual void yield(Link& /*link*/, const std::string& /*other*/) {}

    /// Whether it watches the cluster: looks are frequent then.
    virtual bool watches() const { return false; }
    /// A look at the cluster was made.
    virtual void look() {}
    /// The worker's link ended: its next pause is a new one.
    virtual void forget(const std::string& /*worker_id*/) {}
};

}  // namespace dap

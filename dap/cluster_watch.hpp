// What a session that watches the cluster has to know: which pauses its client was told of.
//
// Owned by RootMode and MergedMode; used on the I/O thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dap/attach_arguments.hpp"
#include "dap/worker_source.hpp"

namespace dap {

class Bridge;
class Session;

class ClusterWatch {
  public:
    /// All must outlive the watch. Asks for a look that begins now.
    ClusterWatch(Session& session, Bridge& bridge, const AttachArguments& arguments);

    /// Whether the newest snapshot is from after the watch began.
    bool has_fresh_look() const;
    /// Workers whose pause is new since the last call; held ones are among them the first time. One that the cluster
    /// does not name yet waits for its name, two seconds at most.
    /// Errors: as Bridge::pauses.
    Result<std::vector<Worker>> news();
    /// Everything that is paused or held is new again, from a look on that begins now.
    void start_again();
    /// The worker's link ended: its next pause is a new one.
    void forget(const std::string& worker_id) { m_known.erase(worker_id); }
    /// Says in the client's console what is being watched for, or what is wrong; nothing twice in a row.
    void tell(const std::string& state);
    /// The cluster's trouble, or what is being watched for.
    std::string state() const;

  private:
    Session& m_session;
    Bridge& m_bridge;
    const AttachArguments& m_arguments;
    std::uint64_t m_snapshot_needed;
    bool m_with_held = true;
    std::string m_told;
    std::map<std::string, int> m_nameless;        ///< worker id -> looks that did not name it
    std::map<std::string, std::int64_t> m_known;  ///< worker id -> the pause that was told of
};

}  // namespace dap

#include "launcher/embedded_bridge.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace launcher {

EmbeddedBridge::EmbeddedBridge(std::unique_ptr<discovery::Dashboard> dashboard)
    : m_host(std::move(dashboard), {.token = "", .offers_children = false}), m_thread([this] { m_host.run(); }) {}

EmbeddedBridge::~EmbeddedBridge() {
    m_host.stop();
    m_thread.join();
}

dap::Result<int> EmbeddedBridge::open_client() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return dap::Error{dap::ErrorCode::closed_by_peer, std::strerror(errno)};
    m_host.adopt(ends[0]);
    return ends[1];
}

}  // namespace launcher

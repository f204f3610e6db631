#include "launcher/bridge_host.hpp"

#include <future>

#include <spdlog/spdlog.h>

namespace launcher {

BridgeHost::BridgeHost(std::unique_ptr<discovery::Dashboard> dashboard, dap::BridgeOptions options) {
    m_source = std::make_unique<ClusterSource>(m_loop, std::move(dashboard), [this] {
        if (m_bridge)
            m_bridge->workers_changed();
    });
    m_bridge = std::make_unique<dap::Bridge>(*m_source, m_loop, m_loop, std::move(options));
}

dap::IoLoop::Accept BridgeHost::accept() {
    return [this]() -> dap::WireUser& { return m_bridge->add_session(); };
}

void BridgeHost::accepted(dap::WireUser& user, std::unique_ptr<dap::Wire> wire) {
    static_cast<dap::Session&>(user).open(std::move(wire));
}

dap::Result<std::string> BridgeHost::listen(const std::string& host, const std::string& port) {
    return m_loop.listen(host, port, accept(), accepted);
}

void BridgeHost::adopt(int socket) {
    m_loop.post([this, socket] { m_loop.adopt(socket, accept(), accepted); });
}

void BridgeHost::end_on_signals() {
    m_loop.on_termination([this] { shut_down(); });
}

void BridgeHost::shut_down() {
    if (m_ending)
        return;
    m_ending = true;
    spdlog::info("ending: releasing all workers");
    m_bridge->shut_down([this] {
        m_bridge.reset();
        m_loop.stop();
    });
}

void BridgeHost::run() {
    m_loop.run();
    m_source.reset();
}

void BridgeHost::stop() {
    m_loop.post([this] { shut_down(); });
}

std::optional<nlohmann::json> BridgeHost::targets_from_outside() {
    auto answer = std::make_shared<std::promise<nlohmann::json>>();
    std::future<nlohmann::json> future = answer->get_future();
    m_loop.post([this, answer] { answer->set_value(m_bridge ? m_bridge->targets() : nlohmann::json::array()); });
    if (future.wait_for(std::chrono::seconds(1)) != std::future_status::ready)
        return std::nullopt;
    return future.get();
}

}  // namespace launcher

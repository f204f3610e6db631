#include "bridge_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <iterator>
#include <stdexcept>

#include <spdlog/spdlog.h>

#include "framed_socket.hpp"

namespace wire {

using namespace std::chrono_literals;
using nlohmann::json;

FakeSource::FakeSource(dap::Timers& timers, std::function<void()> changed)
    : m_changed(std::move(changed)), m_next(timers) {}

void FakeSource::publish() {
    m_snapshot.number = std::max(m_needed, m_snapshot.number + 1);
    m_changed();
}

std::uint64_t FakeSource::refresh(bool /*listening*/) {
    ++m_refreshes;
    m_needed = m_snapshot.number + 1;
    if (m_automatic)
        m_next.set(0ms, [this] { publish(); });
    return m_needed;
}

dap::Result<std::vector<std::size_t>> FakeSource::choose(const std::vector<dap::Worker>& candidates,
                                                         const json& arguments) const {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::string target = arguments.value("target", candidates[i].id);
        if (target == candidates[i].id || target == candidates[i].name)
            chosen.push_back(i);
    }
    return chosen;
}

std::string FakeSource::setup_expression(const json& /*arguments*/, bool first) const {
    return first ? "setup(first=True)" : "setup(first=False)";
}

BridgeFixture::BridgeFixture(std::vector<dap::Worker> workers, std::string token) {
    spdlog::set_level(spdlog::level::off);
    m_source = std::make_unique<FakeSource>(m_loop, [this] {
        if (m_bridge)
            m_bridge->workers_changed();
    });
    m_source->set_workers(std::move(workers));
    m_bridge = std::make_unique<dap::Bridge>(*m_source, m_loop, m_loop, dap::BridgeOptions{std::move(token)});
    const auto accept = [this]() -> dap::WireUser& { return m_bridge->add_session(); };
    const auto accepted = [](dap::WireUser& user, std::unique_ptr<dap::Wire> wire) {
        static_cast<dap::Session&>(user).open(std::move(wire));
    };
    const dap::Result<std::string> address = m_loop.listen("127.0.0.1", "0", accept, accepted);
    if (!address)
        throw std::runtime_error(address.error().message);
    m_port = static_cast<std::uint16_t>(std::stoi(address->substr(address->rfind(':') + 1)));
    m_thread = std::thread([this] { m_loop.run(); });
}

BridgeFixture::~BridgeFixture() {
    stop();
    m_source.reset();
}

void BridgeFixture::on_loop(const std::function<void()>& function) {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> future = done->get_future();
    m_loop.post([function, done] {
        function();
        done->set_value();
    });
    if (future.wait_for(patience) != std::future_status::ready)
        throw std::runtime_error("the I/O thread does not answer");
}

void BridgeFixture::set_workers(std::vector<dap::Worker> workers) {
    on_loop([this, &workers] {
        m_source->set_workers(std::move(workers));
        m_source->publish();
    });
}

void BridgeFixture::with_source(const std::function<void(FakeSource&)>& function) {
    on_loop([this, &function] { function(*m_source); });
}

int BridgeFixture::refreshes() {
    int count = 0;
    with_source([&count](FakeSource& source) { count = source.refreshes(); });
    return count;
}

json BridgeFixture::targets() {
    json rows;
    on_loop([this, &rows] { rows = m_bridge->targets(); });
    return rows;
}

void BridgeFixture::wait_for_state(const std::string& id, const std::string& state) {
    wait_until("worker " + id + " is not " + state, [&] {
        for (const json& row : targets()) {
            if (row["worker_id"] == id && row["state"] == state)
                return true;
        }
        return false;
    });
}

void BridgeFixture::stop() {
    if (!m_thread.joinable())
        return;
    m_loop.post([this] {
        m_bridge->shut_down([this] {
            m_bridge.reset();
            m_loop.stop();
        });
    });
    m_thread.join();
}

void wait_until(const std::string& what, const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + patience;
    while (!condition()) {
        if (Clock::now() > deadline)
            throw std::runtime_error(what);
        std::this_thread::sleep_for(2ms);
    }
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator entries("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace wire

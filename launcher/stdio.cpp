// `ray-dap stdio`: copies bytes between stdin/stdout and the bridge. The links live in the bridge, so a broken
// `kubectl exec` loses no stop.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/commands.hpp"

namespace launcher {

namespace {

constexpr std::size_t most_buffered = 256U << 10;

/// Bytes on their way from one descriptor to another.
struct Direction {
    int from;
    int to;
    bool at_end = false;
    std::string bytes = {};

    bool wants_to_read() const { return !at_end && bytes.size() < most_buffered; }
    bool is_done() const { return at_end && bytes.empty(); }

    void read() {
        std::array<char, 64U << 10> buffer;
        const ssize_t size = ::read(from, buffer.data(), buffer.size());
        if (size > 0)
            bytes.append(buffer.data(), static_cast<std::size_t>(size));
        else if (size == 0 || (errno != EINTR && errno != EAGAIN))
            at_end = true;
    }

    void write() {
        const ssize_t size = ::write(to, bytes.data(), bytes.size());
        if (size > 0)
            bytes.erase(0, static_cast<std::size_t>(size));
        else if (size < 0 && errno != EINTR && errno != EAGAIN)
            at_end = true, bytes.clear();
    }
};

/// Until the bridge closes. The client's end of input is passed on as such: the bridge then sees a client that
/// vanished, or one that closed after its `disconnect`.
void relay(int bridge) {
    Direction to_bridge{STDIN_FILENO, bridge};
    Direction to_client{bridge, STDOUT_FILENO};
    bool told_end = false;
    while (!to_client.is_done()) {
        std::array<pollfd, 4> ready = {{
            {to_bridge.wants_to_read() ? to_bridge.from : -1, POLLIN, 0},
            {to_bridge.bytes.empty() ? -1 : to_bridge.to, POLLOUT, 0},
            {to_client.wants_to_read() ? to_client.from : -1, POLLIN, 0},
            {to_client.bytes.empty() ? -1 : to_client.to, POLLOUT, 0},
        }};
        if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR)
            return;
        if (ready[0].revents != 0)
            to_bridge.read();
        if (ready[1].revents != 0)
            to_bridge.write();
        if (ready[2].revents != 0)
            to_client.read();
        if (ready[3].revents != 0)
            to_client.write();
        if (to_bridge.is_done() && !told_end) {
            told_end = true;
            ::shutdown(bridge, SHUT_WR);
        }
    }
}

}  // namespace

int run_stdio(const Options& options) {
    const dap::Result<int> serving = dap::connect_socket(options.connect, std::chrono::milliseconds(3000));
    if (serving) {
        relay(*serving);
        ::close(*serving);
        return exit_done;
    }
    auto dashboard = open_dashboard(options);
    if (!dashboard)
        return fail(dashboard.error());
    fmt::print(stderr,
               "ray-dap: no bridge serves at {}, so this one runs on its own: workers resume when it ends, and many of "
               "them are shown in one session. Start `ray-dap serve` to keep them stopped, and for a session each.\n",
               options.connect);
    EmbeddedBridge bridge(std::move(*dashboard));
    const dap::Result<int> client = bridge.open_client();
    if (!client)
        return fail(client.error());
    relay(*client);
    ::close(*client);
    return exit_done;
}

}  // namespace launcher

// The one I/O thread: sockets, timers and signals for the state machines.
//
// Everything that Bridge, Session and Link do happens inside run(), on the thread that calls it; only post() may be
// called from other threads. Each socket has one owner here and one writer; every coroutine belongs to a group that
// run() waits for before it returns. Asio stays in io_loop.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dap/wire.hpp"

namespace dap {

class IoLoop : public Connector, public Timers {
  public:
    /// Makes who hears of a connection that was just accepted; it is then given the connection's wire.
    using Accept = std::function<WireUser&()>;
    using Accepted = std::function<void(WireUser&, std::unique_ptr<Wire>)>;

    IoLoop();
    ~IoLoop() override;

    /// Serves DAP clients on `host`:`port` (port 0: any free one). Returns the address as "host:port".
    /// Errors: invalid_arguments with what to do (name does not resolve, address in use, not allowed).
    Result<std::string> listen(const std::string& host, const std::string& port, Accept accept, Accepted accepted);

    /// Serves the client at the other end of a connected stream socket, which it takes over.
    void adopt(int socket, const Accept& accept, const Accepted& accepted);

    /// Runs `function` on the I/O thread. Thread-safe.
    void post(std::function<void()> function);

    /// Calls `function` at SIGTERM and SIGINT instead of ending the process.
    void on_termination(std::function<void()> function);

    /// Runs until stop() was called and every connection is closed.
    void run();

    /// Stops listening, closes all connections after what is queued was written (1 s at most), ends run().
    void stop();

    std::unique_ptr<Wire> connect(const std::string& ip, std::uint16_t port, bool quick_ack, WireUser& user) override;
    std::uint64_t after(std::chrono::milliseconds delay, std::function<void()> function) override;
    void cancel(std::uint64_t id) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace dap

// The doors between the state machines and the world: byte streams that carry DAP bodies, and time.
//
// Sessions and links see only these, so they are tested with neither socket nor sleep. Everything happens on the I/O
// thread. Calls on a Wire never call back at once; callbacks come later, from the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "dap/error.hpp"

namespace dap {

/// Who is told what happens on a wire.
class WireUser {
  public:
    virtual ~WireUser() = default;
    /// A wire made by Connector::connect is open.
    virtual void on_connected() {}
    virtual void on_message(std::string body) = 0;
    /// The wire broke or was closed by the other side; nothing comes after this. Errors: not_dap, invalid_message
    /// (framing), closed_by_peer, worker_unreachable (connect).
    virtual void on_closed(const Error& reason) = 0;
    /// More is queued for sending than the other side takes (true), or that is over (false).
    virtual void on_congested(bool congested) = 0;
};

/// One end of a stream that carries DAP bodies. Destroying it closes the stream once the queue was written; its
/// user hears nothing any more.
class Wire {
  public:
    virtual ~Wire() = default;
    /// Queues one body; framing is added.
    virtual void send(std::string body) = 0;
    /// Stops or restarts reading: back-pressure.
    virtual void pause_reading(bool paused) = 0;
};

/// Opens wires to workers.
class Connector {
  public:
    virtual ~Connector() = default;
    /// Starts to connect. `user` must outlive the wire. With `quick_ack` every read is acknowledged at once, which
    /// spares the worker's side a wait of 40 ms for events (Nagle's algorithm against delayed acknowledgement).
    virtual std::unique_ptr<Wire> connect(const std::string& ip, std::uint16_t port, bool quick_ack,
                                          WireUser& user) = 0;
};

/// Runs functions later, on the I/O thread.
class Timers {
  public:
    virtual ~Timers() = default;
    /// Runs `function` after `delay`, at the earliest in the next turn of the loop. Returns an id for `cancel`.
    virtual std::uint64_t after(std::chrono::milliseconds delay, std::function<void()> function) = 0;
    virtual void cancel(std::uint64_t id) = 0;
};

/// One deadline that ends with its owner.
class Deadline {
  public:
    explicit Deadline(Timers& timers) : m_timers(timers) {}
    ~Deadline() { clear(); }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    /// Replaces the deadline that was set before.
    void set(std::chrono::milliseconds delay, std::function<void()> function) {
        clear();
        m_id = m_timers.after(delay, [this, run = std::move(function)] {
            m_id = 0;
            run();
        });
    }
    void clear() {
        if (m_id != 0)
            m_timers.cancel(m_id);
        m_id = 0;
    }
    bool is_set() const { return m_id != 0; }

  private:
    Timers& m_timers;
    std::uint64_t m_id = 0;
};

}  // namespace dap

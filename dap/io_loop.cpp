#include "dap/io_loop.hpp"

#include <deque>
#include <map>
#include <vector>

#include <boost/asio.hpp>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>

#include "dap/framing.hpp"
#include "dap/task_group.hpp"

namespace dap {

namespace asio = boost::asio;
using asio::awaitable;
using boost::system::error_code;
using Socket = asio::generic::stream_protocol::socket;

namespace {

constexpr std::size_t high_water = 4U << 20;  // bytes queued for one socket
constexpr std::size_t low_water = 1U << 20;
constexpr std::size_t most_gathered = 32;  // messages in one write
constexpr std::chrono::milliseconds linger{1000};
constexpr int idle_before_probes = 10;     // s
constexpr int seconds_between_probes = 5;  // s
constexpr int lost_probes = 3;
constexpr int unacknowledged_within = 25'000;  // ms; longer than all probes together
constexpr std::chrono::milliseconds retry_accept{100};

constexpr auto use_error = asio::as_tuple(asio::use_awaitable);

/// A timer used as a condition variable of one thread.
class Signal {
  public:
    explicit Signal(const asio::any_io_executor& executor) : m_timer(executor, asio::steady_timer::time_point::max()) {}
    awaitable<void> wait() { co_await m_timer.async_wait(use_error); }
    void notify() { m_timer.cancel(); }

  private:
    asio::steady_timer m_timer;
};

/// One socket: its reader, its writer and its queue. Lives as long as its coroutines; `user` is null once nobody
/// listens any more.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(Socket socket, WireUser& user, std::size_t max_body, bool quick_ack)
        : m_socket(std::move(socket)),
          m_user(&user),
          m_reader(max_body),
          m_quick_ack(quick_ack),
          m_may_read(m_socket.get_executor()),
          m_may_write(m_socket.get_executor()),
          m_linger(m_socket.get_executor()) {}

    void start(TaskGroup& group) {
        error_code ignored;
        m_socket.non_blocking(true, ignored);
        m_socket.set_option(asio::ip::tcp::no_delay(true), ignored);  // fails on a Unix socket, harmlessly
        find_out_when_dead();
        group.spawn(m_socket.get_executor(), read(shared_from_this()));
        group.spawn(m_socket.get_executor(), write(shared_from_this()));
    }

    void send(std::string body) {
        m_queued += body.size();
        std::string header = frame_header(body.size());
        m_queue.push_back({std::move(header), std::move(body)});
        m_may_write.notify();
        if (m_queued > high_water && !m_congested)
            set_congested(true);
    }

    void pause_reading(bool paused) {
        m_paused = paused;
        m_may_read.notify();
    }

    /// Nobody listens any more: writes what is queued, for a moment at most, and closes.
    void finish() {
        m_user = nullptr;
        m_finishing = true;
        if (m_queue.empty() && !m_writing) {
            close();
            return;
        }
        m_linger.expires_after(linger);
        m_linger.async_wait([self = shared_from_this()](const error_code& cancelled) {
            if (!cancelled)
                self->close();
        });
        m_may_write.notify();
    }

    void close() {
        error_code ignored;
        m_socket.close(ignored);
        m_linger.cancel();
        m_may_read.notify();
        m_may_write.notify();
    }

    /// The connection was never possible.
    void fail(const std::string& why) { tell_closed({ErrorCode::worker_unreachable, why}); }

    static awaitable<void> connect(std::shared_ptr<Connection> self, asio::ip::tcp::endpoint endpoint,
                                   TaskGroup& group) {
        const auto [failure] = co_await self->m_socket.async_connect(endpoint, use_error);
        if (self->m_user == nullptr)
            co_return;
        if (failure) {
            self->tell_closed({ErrorCode::worker_unreachable, failure.message()});
            co_return;
        }
        self->start(group);
        self->m_user->on_connected();
    }

  private:
    struct Message {
        std::string header;
        std::string body;
    };

    static awaitable<void> read(std::shared_ptr<Connection> self) {
        // One buffer for all sockets: bytes never stay in it past one turn of the loop.
        static thread_local std::vector<char> buffer(64U << 10);
        while (self->m_socket.is_open()) {
            if (self->m_paused) {
                co_await self->m_may_read.wait();
                continue;
            }
            const auto [wait_failure] = co_await self->m_socket.async_wait(Socket::wait_read, use_error);
            if (!self->m_socket.is_open())
                break;
            error_code failure = wait_failure;
            std::size_t size = 0;
            if (!failure)
                size = self->m_socket.read_some(asio::buffer(buffer), failure);
            if (failure == asio::error::would_block || failure == asio::error::try_again)
                continue;
            if (failure) {
                self->tell_closed({ErrorCode::closed_by_peer,
                                   failure == asio::error::eof ? "closed by the other side" : failure.message()});
                break;
            }
            if (self->m_quick_ack)
                self->acknowledge_at_once();
            if (self->m_user == nullptr)
                continue;
            self->m_reader.feed({buffer.data(), size});
            self->deliver();
        }
    }

    void deliver() {
        while (m_user != nullptr) {
            Result<std::optional<std::string>> body = m_reader.next();
            if (!body) {
                tell_closed(body.error());
                close_unless_lingering();
                return;
            }
            if (!*body)
                return;
            m_user->on_message(std::move(**body));
        }
    }

    static awaitable<void> write(std::shared_ptr<Connection> self) {
        while (self->m_socket.is_open()) {
            if (self->m_queue.empty()) {
                if (self->m_finishing) {
                    self->close();
                    break;
                }
                co_await self->m_may_write.wait();
                continue;
            }
            std::vector<Message> batch;
            std::vector<asio::const_buffer> buffers;
            std::size_t size = 0;
            while (!self->m_queue.empty() && batch.size() < most_gathered) {
                size += self->m_queue.front().body.size();
                batch.push_back(std::move(self->m_queue.front()));
                self->m_queue.pop_front();
            }
            for (const Message& message : batch) {
                buffers.push_back(asio::buffer(message.header));
                buffers.push_back(asio::buffer(message.body));
            }
            self->m_writing = true;
            const auto [failure, written] = co_await asio::async_write(self->m_socket, buffers, use_error);
            self->m_writing = false;
            self->m_queued -= std::min(self->m_queued, size);
            if (failure) {
                if (self->m_socket.is_open())
                    self->tell_closed({ErrorCode::closed_by_peer, failure.message()});
                self->close();
                break;
            }
            if (self->m_congested && self->m_queued < low_water)
                self->set_congested(false);
        }
    }

    void set_congested(bool congested) {
        m_congested = congested;
        asio::post(m_socket.get_executor(), [self = shared_from_this(), congested] {
            if (self->m_user != nullptr && self->m_congested == congested)
                self->m_user->on_congested(congested);
        });
    }

    void tell_closed(const Error& reason) {
        if (WireUser* user = std::exchange(m_user, nullptr))
            user->on_closed(reason);
    }

    void close_unless_lingering() {
        if (!m_finishing)
            close();
    }

    void acknowledge_at_once() { set_tcp_option(TCP_QUICKACK, 1); }

    /// A peer that vanished without a word (a cut cable, a node that is gone) is found by unanswered probes, or by data
    /// that it does not acknowledge.
    void find_out_when_dead() {
        error_code ignored;
        m_socket.set_option(asio::socket_base::keep_alive(true), ignored);
        set_tcp_option(TCP_KEEPIDLE, idle_before_probes);
        set_tcp_option(TCP_KEEPINTVL, seconds_between_probes);
        set_tcp_option(TCP_KEEPCNT, lost_probes);
        set_tcp_option(TCP_USER_TIMEOUT, unacknowledged_within);
    }

    void set_tcp_option(int name, int value) {
        ::setsockopt(m_socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value);
    }

    Socket m_socket;
    WireUser* m_user;
    FrameReader m_reader;
    bool m_quick_ack;
    bool m_paused = false;
    bool m_finishing = false;
    bool m_writing = false;
    bool m_congested = false;
    std::deque<Message> m_queue;
    std::size_t m_queued = 0;
    Signal m_may_read;
    Signal m_may_write;
    asio::steady_timer m_linger;
};

class ConnectionWire : public Wire {
  public:
    explicit ConnectionWire(std::shared_ptr<Connection> connection) : m_connection(std::move(connection)) {}
    ~ConnectionWire() override { m_connection->finish(); }
    ConnectionWire(const ConnectionWire&) = delete;
    ConnectionWire& operator=(const ConnectionWire&) = delete;

    void send(std::string body) override { m_connection->send(std::move(body)); }
    void pause_reading(bool paused) override { m_connection->pause_reading(paused); }

  private:
    std::shared_ptr<Connection> m_connection;
};

}  // namespace

struct IoLoop::Impl {
    asio::io_context io{1};
    asio::ip::tcp::acceptor acceptor{io};
    asio::signal_set signals{io};
    asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
    TaskGroup tasks;
    std::vector<std::weak_ptr<Connection>> connections;
    std::map<std::uint64_t, asio::steady_timer> timers;
    std::uint64_t last_timer = 0;

    std::unique_ptr<Wire> own(const std::shared_ptr<Connection>& connection) {
        std::erase_if(connections, [](const auto& weak) { return weak.expired(); });
        connections.push_back(connection);
        return std::make_unique<ConnectionWire>(connection);
    }

    void serve(Socket socket, const Accept& accept, const Accepted& accepted) {
        WireUser& user = accept();
        auto connection = std::make_shared<Connection>(std::move(socket), user, max_client_body, false);
        connection->start(tasks);
        accepted(user, own(connection));
    }

    static awaitable<void> accept_clients(Impl& self, Accept accept, Accepted accepted) {
        while (self.acceptor.is_open()) {
            auto [failure, socket] = co_await self.acceptor.async_accept(use_error);
            if (!failure) {
                self.serve(Socket(std::move(socket)), accept, accepted);
            } else if (self.acceptor.is_open()) {
                // Out of descriptors, most likely: those in use go on, new ones wait.
                spdlog::error("cannot accept a client: {}", failure.message());
                asio::steady_timer pause(self.io, retry_accept);
                co_await pause.async_wait(use_error);
            }
        }
    }
};

IoLoop::IoLoop() : m_impl(std::make_unique<Impl>()) {}
IoLoop::~IoLoop() = default;

Result<std::string> IoLoop::listen(const std::string& host, const std::string& port, Accept accept, Accepted accepted) {
    using asio::ip::tcp;
    const std::string where = host + ":" + port;
    error_code failure;
    tcp::resolver resolver(m_impl->io);
    const auto found = resolver.resolve(host, port, tcp::resolver::passive, failure);
    if (failure || found.empty())
        return Error{ErrorCode::invalid_arguments, "Cannot listen on " + where + ": " + failure.message() + "."};
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp::acceptor& acceptor = m_impl->acceptor;
    acceptor.open(endpoint.protocol(), failure);
    if (!failure)
        acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure)
        acceptor.bind(endpoint, failure);
    if (!failure)
        acceptor.listen(tcp::acceptor::max_listen_connections, failure);
    if (failure) {
        const bool in_use = failure == asio::error::address_in_use;
        return Error{ErrorCode::invalid_arguments,
                     "Cannot listen on " + where + ": " + failure.message() + "." +
                         (in_use ? " Is another ray-dap serving there? Give another address with --listen." : "")};
    }
    m_impl->tasks.spawn(m_impl->io.get_executor(),
                        Impl::accept_clients(*m_impl, std::move(accept), std::move(accepted)));
    const tcp::endpoint bound = acceptor.local_endpoint();
    const std::string address = bound.address().to_string();
    return (bound.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(bound.port());
}

void IoLoop::adopt(int socket, const Accept& accept, const Accepted& accepted) {
    asio::local::stream_protocol::socket local(m_impl->io, asio::local::stream_protocol(), socket);
    m_impl->serve(Socket(std::move(local)), accept, accepted);
}

void IoLoop::post(std::function<void()> function) {
    asio::post(m_impl->io, std::move(function));
}

void IoLoop::on_termination(std::function<void()> function) {
    m_impl->signals.add(SIGTERM);
    m_impl->signals.add(SIGINT);
    m_impl->signals.async_wait([run = std::move(function)](const error_code& cancelled, int) {
        if (!cancelled)
            run();
    });
}

void IoLoop::run() {
    m_impl->io.run();
}

void IoLoop::stop() {
    error_code ignored;
    m_impl->acceptor.close(ignored);
    m_impl->signals.cancel(ignored);
    m_impl->timers.clear();
    for (const auto& weak : m_impl->connections) {
        if (const auto connection = weak.lock())
            connection->finish();
    }
    m_impl->tasks.when_empty([this] { m_impl->work.reset(); });
}

std::unique_ptr<Wire> IoLoop::connect(const std::string& ip, std::uint16_t port, bool quick_ack, WireUser& user) {
    auto connection = std::make_shared<Connection>(Socket(m_impl->io), user, max_worker_body, quick_ack);
    error_code failure;
    const asio::ip::address address = asio::ip::make_address(ip, failure);
    if (failure) {
        post([connection, ip] { connection->fail("\"" + ip + "\" is not an IP address"); });
    } else {
        m_impl->tasks.spawn(m_impl->io.get_executor(),
                            Connection::connect(connection, asio::ip::tcp::endpoint(address, port), m_impl->tasks));
    }
    return m_impl->own(connection);
}

std::uint64_t IoLoop::after(std::chrono::milliseconds delay, std::function<void()> function) {
    const std::uint64_t id = ++m_impl->last_timer;
    asio::steady_timer& timer = m_impl->timers.emplace(id, asio::steady_timer(m_impl->io, delay)).first->second;
    timer.async_wait([this, id, run = std::move(function)](const error_code& cancelled) {
        if (cancelled || m_impl->timers.erase(id) == 0)
            return;
        run();
    });
    return id;
}

void IoLoop::cancel(std::uint64_t id) {
    m_impl->timers.erase(id);
}

}  // namespace dap

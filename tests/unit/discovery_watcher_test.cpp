#include <condition_variable>
#include <mutex>

#include <doctest/doctest.h>
#include <httplib.h>

#include "discovery/watcher.hpp"
#include "fake_dashboard.hpp"

using namespace discovery;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

using Look = std::shared_ptr<const Snapshot>;

/// A watcher of a fake dashboard that keeps its snapshots.
struct Watched {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Look> looks;
    std::unique_ptr<Watcher> watcher;

    explicit Watched(const FakeDashboard& fake, Watcher::Pace pace = {.waiting = 5ms, .idle = 1h}) {
        auto dashboard = std::make_unique<Dashboard>(*parse_url(fake.url()),
                                                     TokenSource([](const std::string&) { return std::nullopt; }),
                                                     DashboardLimits{.connect = 500ms, .read = 300ms});
        watcher = std::make_unique<Watcher>(
            std::move(dashboard),
            [this](Look look) {
                const std::lock_guard lock(mutex);
                looks.push_back(std::move(look));
                changed.notify_all();
            },
            pace);
    }

    /// The first snapshot of at least `number` that `fits`.
    Look wait(
        std::uint64_t number, const std::function<bool(const Snapshot&)>& fits = [](const Snapshot&) { return true; }) {
        std::unique_lock lock(mutex);
        Look found;
        const bool in_time = changed.wait_for(lock, 10s, [&] {
            for (const Look& look : looks)
                if (!found && look->number >= number && fits(*look))
                    found = look;
            return found != nullptr;
        });
        REQUIRE(in_time);
        return found;
    }

    Look refreshed(bool listening = false) { return wait(watcher->refresh(listening)); }
};

void wait_for_requests(const FakeDashboard& fake, const std::string& path, std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (fake.requests(path) < count && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    REQUIRE(fake.requests(path) >= count);
}

}  // namespace

TEST_CASE("watcher: names what is paused: tasks, actors, drivers, jobs") {
    FakeDashboard fake;
    fake.set_rows("workers", {worker_row("aa"), worker_row("bb"),
                              worker_row("02000000ffff", 1, {{"worker_type", "DRIVER"}}), worker_row("dd", 0)});
    fake.set_rows("tasks", {task_row("aa", "square"),
                            task_row("bb", "Counter.add", {{"actor_id", "a1"}, {"type", "ACTOR_TASK"}})});
    fake.set_rows("actors", {{{"actor_id", "a1"}, {"name", "counter"}}});
    fake.set_rows("jobs", {{{"job_id", "01000000"}, {"submission_id", "raysubmit_a"}, {"entrypoint", "python a.py"}},
                           {{"job_id", "02000000"}, {"submission_id", nullptr}, {"entrypoint", "python b.py"}}});
    Watched watched(fake);
    const Look first = watched.wait(1);
    CHECK(!first->trouble);
    CHECK(first->warnings.empty());
    CHECK(!first->listening);
    REQUIRE(first->targets.size() == 3);
    CHECK(first->targets[0].name == "square");
    CHECK(first->targets[0].submission_id == "raysubmit_a");
    CHECK(first->targets[1].kind == TargetKind::actor);
    CHECK(first->targets[1].actor_name == "counter");
    CHECK(first->targets[2].name == "python b.py");

    const Look all = watched.refreshed(true);
    CHECK(all->listening);
    CHECK(all->targets.size() == 4);
    CHECK(all->targets[3].state == "listening");
    CHECK(watched.refreshed()->targets.size() == 3);
    // What is known once is not asked again.
    CHECK(fake.requests("/api/v0/actors") == 1);
    CHECK(fake.requests("/api/jobs/") == 1);
    CHECK(fake.connections() == 1);
}

TEST_CASE("watcher: with nothing paused a look is one request") {
    FakeDashboard fake;
    fake.set_rows("workers", json::array());
    Watched watched(fake);
    watched.wait(1);
    watched.refreshed();
    CHECK(fake.requests() == fake.requests("/api/v0/workers"));
}

TEST_CASE("watcher: trouble and restarts lose no target") {
    FakeDashboard fake;
    fake.set_rows("workers", {worker_row("aa")});
    fake.set_rows("tasks", {task_row("aa", "square")});
    fake.set_rows("jobs", json::array());
    Watched watched(fake);
    const Look first = watched.wait(1);
    const auto same = [&](const Look& look) { return look->targets == first->targets; };

    fake.stop();
    const Look down = watched.refreshed();
    REQUIRE(down->trouble);
    CHECK(down->trouble->kind == Trouble::Kind::unreachable);
    CHECK(same(down));

    fake.restart();
    const Look up = watched.refreshed();
    CHECK(!up->trouble);
    CHECK(same(up));

    fake.set("/api/v0/workers", {.body = "<html>", .content_type = "text/html"});
    CHECK(watched.refreshed()->trouble->kind == Trouble::Kind::not_a_dashboard);
    fake.set("/api/v0/workers", {.hang = true});
    const Look late = watched.refreshed();
    CHECK(late->trouble->kind == Trouble::Kind::timed_out);
    CHECK(same(late));
    fake.release();

    fake.set_rows("workers", json::array(), {{"partial_failure_warning", "a node does not answer"}});
    const Look partial = watched.refreshed();
    CHECK(!partial->trouble);
    CHECK(partial->warnings.size() == 1);
    CHECK(same(partial));

    fake.set_rows("workers", json::array());
    CHECK(watched.refreshed()->targets.empty());
}

TEST_CASE("watcher: trouble with names is a warning") {
    FakeDashboard fake;
    fake.set_rows("workers", {worker_row("aa")});
    fake.set("/api/v0/tasks", {.status = 500, .body = "out of order", .content_type = "text/plain"});
    Watched watched(fake);
    const Look look = watched.wait(1);
    CHECK(!look->trouble);
    CHECK(look->targets.at(0).name == "worker");
    CHECK(look->warnings.at(0).find("out of order") != std::string::npos);
    fake.set_rows("tasks", {task_row("aa", "square")});
    fake.set_rows("jobs", json::array());
    CHECK(watched.refreshed()->targets.at(0).name == "square");
}

TEST_CASE("watcher: where the list of tasks is cut short, workers are asked about one by one, sixteen at most") {
    FakeDashboard fake;
    json workers = json::array();
    for (int i = 10; i < 30; ++i)
        workers.push_back(worker_row("aa" + std::to_string(i)));
    fake.set_rows("workers", workers);
    fake.set_rows("jobs", json::array());
    fake.set("/api/v0/tasks", [](const httplib::Request& request) {
        const auto at = request.target.find("worker_id");
        if (at == std::string::npos)
            return FakeDashboard::Reply{.body = state_answer(json::array(), {{"total", 20000}}).dump()};
        const std::string worker = request.target.substr(request.target.rfind('=') + 1);
        return FakeDashboard::Reply{.body = state_answer({task_row(worker, "square")}).dump()};
    });
    Watched watched(fake);
    const auto named = [](const Look& look) {
        return std::count_if(look->targets.begin(), look->targets.end(),
                             [](const Target& target) { return target.name == "square"; });
    };
    CHECK(named(watched.wait(1)) == 16);
    CHECK(fake.requests("/api/v0/tasks") == 17);
    CHECK(named(watched.refreshed()) == 20);
}

TEST_CASE("watcher: a refresh begins after it was asked for, and requests share a look") {
    FakeDashboard fake;
    std::atomic<bool> blocked{true};
    std::mutex mutex;
    std::condition_variable opened;
    fake.set("/api/v0/workers", [&](const httplib::Request&) {
        std::unique_lock lock(mutex);
        opened.wait_for(lock, 200ms, [&] { return !blocked; });
        return FakeDashboard::Reply{.body = state_answer(json::array()).dump()};
    });
    Watched watched(fake);
    wait_for_requests(fake, "/api/v0/workers", 1);
    const auto number = watched.watcher->refresh(false);
    CHECK(number == 2);
    CHECK(watched.watcher->refresh(true) == 2);
    CHECK(watched.watcher->refresh(false) == 2);
    {
        const std::lock_guard lock(mutex);
        blocked = false;
    }
    opened.notify_all();
    CHECK(watched.wait(2)->listening);
    CHECK(watched.refreshed()->number == 3);
    CHECK(fake.requests("/api/v0/workers") == 3);
}

TEST_CASE("watcher: looks often while somebody waits") {
    FakeDashboard fake;
    fake.set_rows("workers", json::array());
    Watched watched(fake);
    watched.wait(1);
    watched.watcher->set_waiting(1);
    watched.wait(5);
    watched.watcher->set_waiting(0);
}

TEST_CASE("watcher: ends promptly, also in the middle of a request") {
    FakeDashboard fake;
    fake.set("/", {.hang = true});
    const auto begun = std::chrono::steady_clock::now();
    {
        auto dashboard = std::make_unique<Dashboard>(*parse_url(fake.url()));
        const Watcher watcher(std::move(dashboard),
                              [](const Look&) { FAIL_CHECK("a look that was given up is not told"); });
        wait_for_requests(fake, "/", 1);
    }
    CHECK(std::chrono::steady_clock::now() - begun < 2s);
}

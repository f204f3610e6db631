#include <doctest/doctest.h>

#include "discovery/target_model.hpp"

// g++ 12 takes fields that a designated initializer leaves out for forgotten ones.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

using namespace discovery;
using namespace std::chrono_literals;

namespace {

using Ids = std::vector<std::string>;
const TargetModel::Time start = TargetModel::Time() + 1000h;

WorkerRow worker(const std::string& id, std::int64_t paused = 1) {
    return {.worker_id = id, .node_id = "n", .ip = "10.0.0.1", .pid = 1, .port = 40001, .paused_threads = paused};
}

TaskRow task(const std::string& worker_id, const std::string& function, std::int64_t started = 1) {
    return {.task_id = "task-" + function,
            .worker_id = worker_id,
            .name = function,
            .function = function,
            .job_id = "01000000",
            .started = started,
            .created = started};
}

TaskRow method(const std::string& worker_id, const std::string& function, bool creation = false) {
    TaskRow row = task(worker_id, function);
    row.actor_id = "actor";
    row.creation = creation;
    return row;
}

/// One look that sees these workers and tasks.
void look(TargetModel& model, TargetModel::Time now, const std::vector<WorkerRow>& workers,
          const std::vector<TaskRow>& tasks = {}, bool complete = true) {
    model.update_workers({workers, complete, {}}, false, now);
    if (const auto wanted = model.wanted_names(now); !wanted.empty())
        model.update_tasks({tasks, complete, {}}, wanted, now);
}

}  // namespace

TEST_CASE("model: pauses keep their order") {
    TargetModel model;
    look(model, start, {worker("c")});
    look(model, start + 1s, {worker("a"), worker("c")});
    look(model, start + 2s, {worker("a"), worker("b"), worker("c")});
    Ids order;
    for (const Target& target : model.targets())
        order.push_back(target.target);
    CHECK(order == Ids{"c", "a", "b"});
    CHECK(model.targets()[0].paused_at < model.targets()[1].paused_at);
    CHECK(model.targets()[0].state == "waiting");
    CHECK(model.targets()[0].name == "worker");
}

TEST_CASE("model: names by the running task, asked again while the pause is young") {
    TargetModel model;
    look(model, start, {worker("a")});
    CHECK(model.targets()[0].kind == TargetKind::worker);
    look(model, start + 1s, {worker("a")}, {task("a", "square"), task("b", "other")});
    CHECK(model.targets()[0].name == "square");
    CHECK(model.targets()[0].task_id == "task-square");
    CHECK(model.targets()[0].job_id == "01000000");
    CHECK(model.targets()[0].kind == TargetKind::task);
    CHECK(model.wanted_names(start + 4s) == Ids{"a"});
    CHECK(model.wanted_names(start + 6s).empty());
    CHECK(model.wanted_names(start + 17s) == Ids{"a"});
}

TEST_CASE("model: unnamed workers are asked for during a minute, then seldom") {
    TargetModel model;
    look(model, start, {worker("a")});
    look(model, start + 59s, {worker("a")});
    CHECK(model.wanted_names(start + 59s) == Ids{"a"});
    CHECK(model.wanted_names(start + 61s).empty());
    CHECK(model.wanted_names(start + 75s) == Ids{"a"});
}

TEST_CASE("model: a former task that is still listed loses against the one that started later") {
    TargetModel model;
    look(model, start, {worker("a")}, {task("a", "former", 100)});
    CHECK(model.targets()[0].name == "former");
    look(model, start + 1s, {worker("a")}, {task("a", "former", 100), task("a", "square", 200)});
    CHECK(model.targets()[0].name == "square");
    look(model, start + 2s, {worker("a")}, {task("a", "square", 200)});
    CHECK(model.targets()[0].name == "square");
}

TEST_CASE("model: a name stays while tasks are not listed") {
    TargetModel model;
    look(model, start, {worker("a")}, {task("a", "square")});
    look(model, start + 1s, {worker("a")}, {});
    CHECK(model.targets()[0].name == "square");
}

TEST_CASE("model: several methods in one worker are told, not guessed") {
    TargetModel model;
    look(
        model, start, {worker("a")},
        {task("a", "earlier"), method("a", "Waiter.__init__", true), method("a", "Waiter.b"), method("a", "Waiter.a")});
    CHECK(model.targets()[0].name == "Waiter.{a|b}");
    CHECK(model.targets()[0].task_id.empty());
    CHECK(model.targets()[0].kind == TargetKind::actor);
    CHECK(model.targets()[0].actor_id == "actor");

    TaskRow again = method("a", "Waiter.a");
    again.task_id = "another";
    look(model, start + 1s, {worker("a")}, {method("a", "Waiter.a"), again});
    CHECK(model.targets()[0].name == "Waiter.a");
    CHECK(model.targets()[0].task_id.empty());

    look(model, start + 2s, {worker("a")}, {method("a", "Waiter.a")});
    CHECK(model.targets()[0].task_id == "task-Waiter.a");
}

TEST_CASE("model: a constructor is an actor's") {
    TargetModel model;
    look(model, start, {worker("a")}, {method("a", "Waiter.__init__", true)});
    CHECK(model.targets()[0].name == "Waiter.__init__");
    CHECK(model.targets()[0].kind == TargetKind::actor);
}

TEST_CASE("model: a worker that vanished and came back is a new pause, named anew") {
    TargetModel model;
    look(model, start, {worker("a")}, {task("a", "square")});
    const auto first = model.targets()[0].paused_at;
    look(model, start + 10s, {});
    CHECK(model.targets().empty());
    look(model, start + 20s, {worker("a")});
    CHECK(model.targets()[0].paused_at > first);
    CHECK(model.targets()[0].name == "worker");
    CHECK(model.wanted_names(start + 20s) == Ids{"a"});
}

TEST_CASE("model: an incomplete answer drops nothing") {
    TargetModel model;
    look(model, start, {worker("a"), worker("b")}, {task("a", "square")});
    look(model, start + 1s, {worker("b")}, {}, false);
    CHECK(model.targets().size() == 2);
    look(model, start + 2s, {worker("b")});
    CHECK(model.targets().size() == 1);
}

TEST_CASE("model: an incomplete list of tasks tells whom to ask about") {
    TargetModel model;
    model.update_workers({{worker("a"), worker("b"), worker("c")}, true, {}}, false, start);
    CHECK(model.update_tasks({{task("b", "square")}, false, {}}, model.wanted_names(start), start) == Ids{"a", "c"});
    CHECK(model.update_tasks({{task("a", "square")}, true, {}}, {"a", "c"}, start).empty());
}

TEST_CASE("model: workers that only listen come and go with such looks") {
    TargetModel model;
    model.update_workers({{worker("a", 0), worker("b", 2)}, true, {}}, true, start);
    model.update_tasks({{task("a", "square")}, true, {}}, model.wanted_names(start), start);
    REQUIRE(model.targets().size() == 2);
    CHECK(model.targets()[0].target == "b");
    CHECK(model.targets()[0].paused_threads == 2);
    CHECK(model.targets()[1].state == "listening");
    CHECK(model.targets()[1].name == "square");
    CHECK(model.targets()[1].paused_at == 0);

    // It runs something else later on, or nothing.
    model.update_workers({{worker("a", 0), worker("b", 2)}, true, {}}, true, start + 30s);
    CHECK(model.wanted_names(start + 30s) == Ids{"a", "b"});
    model.update_tasks({{}, true, {}}, {"a"}, start + 30s);
    CHECK(model.targets()[1].name == "worker");

    // It pauses: named anew, last in the queue.
    model.update_workers({{worker("a", 1), worker("b", 2)}, true, {}}, false, start + 31s);
    CHECK(model.targets()[1].target == "a");
    CHECK(model.targets()[1].state == "waiting");
    CHECK(model.targets()[1].paused_at > model.targets()[0].paused_at);

    model.update_workers({{worker("b", 0)}, true, {}}, true, start + 32s);
    model.update_workers({{}, false, {}}, false, start + 33s);
    CHECK(model.targets().empty());
}

TEST_CASE("model: actors' names are asked once") {
    TargetModel model;
    CHECK(model.wanted_actors().empty());
    look(model, start, {worker("a")}, {method("a", "Waiter.a")});
    CHECK(model.wanted_actors() == Ids{"actor"});
    model.update_actors({{"actor", "wally"}}, {"actor"});
    CHECK(model.wanted_actors().empty());
    CHECK(model.targets()[0].actor_name == "wally");
}

TEST_CASE("model: drivers are named by their job, and are never asked about by task") {
    TargetModel model;
    WorkerRow driver = worker("0f000000ffffffffffffffff");
    driver.driver = true;
    look(model, start, {driver});
    CHECK(model.wanted_names(start).empty());
    CHECK(model.targets()[0].kind == TargetKind::driver);
    CHECK(model.targets()[0].job_id == "0f000000");
    CHECK(model.targets()[0].name == "driver");
    CHECK(model.wants_jobs(start));
    model.update_jobs({{"01000000", "", "x"}});
    CHECK(model.wants_jobs(start + 9s));
    CHECK(!model.wants_jobs(start + 11s));
    model.update_jobs({{"0f000000", "raysubmit_a", "python a.py"}, {"0f000000", "", "python"}});
    CHECK(model.targets()[0].name == "python a.py");
    CHECK(model.targets()[0].submission_id == "raysubmit_a");
    CHECK(!model.wants_jobs(start + 12s));
}

TEST_CASE("model: tasks carry their job's submission id; an unknown job asks again") {
    TargetModel model;
    look(model, start, {worker("a")}, {task("a", "square")});
    CHECK(model.wants_jobs(start));
    model.update_jobs({{"01000000", "raysubmit_a", "python a.py"}});
    CHECK(!model.wants_jobs(start));
    CHECK(model.targets()[0].submission_id == "raysubmit_a");
    CHECK(model.targets()[0].name == "square");
    TaskRow later = task("b", "square");
    later.job_id = "02000000";
    look(model, start + 100s, {worker("a"), worker("b")}, {later});
    CHECK(model.wants_jobs(start + 100s));
}

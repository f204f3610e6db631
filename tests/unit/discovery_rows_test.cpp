#include <doctest/doctest.h>

#include "discovery/rows.hpp"
#include "fake_dashboard.hpp"

using namespace discovery;
using nlohmann::json;

TEST_CASE("rows: only alive workers with paused threads, or with a port where listening") {
    const json document = state_answer({worker_row("a"), worker_row("b", 0), worker_row("c", 1, {{"is_alive", false}}),
                                        worker_row("d", 0, {{"debugger_port", nullptr}}),
                                        worker_row("e", 2, {{"worker_type", "DRIVER"}, {"ip", "[fd00::1]"}})});
    const auto paused = read_workers(document, false);
    REQUIRE(paused);
    REQUIRE(paused->rows.size() == 2);
    CHECK(paused->rows[0].worker_id == "a");
    CHECK(paused->rows[0].port == 40001);
    CHECK(paused->rows[1].driver);
    CHECK(paused->rows[1].ip == "fd00::1");
    CHECK(paused->rows[1].paused_threads == 2);
    CHECK(paused->complete);
    CHECK(paused->warnings.empty());
    CHECK(read_workers(document, true)->rows.size() == 3);
}

TEST_CASE("rows: a row that makes no sense costs only itself") {
    const json document =
        state_answer({worker_row("a", 1, {{"debugger_port", "40001"}}), worker_row("b", 1, {{"debugger_port", 70000}}),
                      worker_row("c", 1, {{"ip", nullptr}}), worker_row("d", 1, {{"is_alive", "True"}}), 7, nullptr,
                      worker_row("e", 1, {{"worker_id", 3}}), worker_row("f", 1, {{"pid", nullptr}}),
                      worker_row("g", 1, {{"pid", 18446744073709551615ULL}})});
    const auto workers = read_workers(document, false);
    REQUIRE(workers);
    REQUIRE(workers->rows.size() == 2);
    CHECK(workers->rows[0].worker_id == "f");
    CHECK(workers->rows[1].pid == 0);
    REQUIRE(workers->warnings.size() == 1);
    CHECK(workers->warnings[0].find("7 rows") != std::string::npos);
}

TEST_CASE("rows: incomplete answers say so") {
    const json rows = {worker_row("a")};
    // Ray 2.60: `total` counts all workers, the paused ones are filtered in GCS.
    CHECK(read_workers(state_answer(rows, {{"total", 8}}), false)->complete);
    CHECK(!read_workers(state_answer(rows, {{"num_after_truncation", 10000}}), false)->complete);
    CHECK(!read_workers(state_answer(rows, {{"num_filtered", 2}}), false)->complete);
    const auto partial =
        read_workers(state_answer(rows, {{"partial_failure_warning", "2 nodes\ndo not answer"}}), false);
    CHECK(!partial->complete);
    CHECK(partial->warnings.at(0).find("2 nodes do not answer") != std::string::npos);
    CHECK(read_workers(state_answer(rows, {{"warnings", {"careful"}}}), false)->warnings.size() == 1);
    CHECK(!read_tasks(state_answer({task_row("a", "f")}, {{"total", 8}}))->complete);
}

TEST_CASE("rows: tasks") {
    const auto tasks = read_tasks(
        state_answer({task_row("a", "square"), task_row("a", "square", {{"state", "FINISHED"}}),
                      task_row("b", "f", {{"worker_id", nullptr}}), task_row("c", "f", {{"name", nullptr}}),
                      task_row("d", "f", {{"name", 7}}),
                      task_row("e", "Counter.__init__", {{"type", "ACTOR_CREATION_TASK"}, {"actor_id", "aa"}})}));
    REQUIRE(tasks);
    REQUIRE(tasks->rows.size() == 3);
    CHECK(tasks->rows[0].started == 1795444669803);
    CHECK(tasks->rows[1].name == "f");
    CHECK(tasks->rows[2].creation);
    CHECK(tasks->warnings.size() == 1);
}

TEST_CASE("rows: jobs with and without drivers") {
    const auto jobs = read_jobs(json::parse(R"([
        {"type": "DRIVER", "job_id": "01000000", "submission_id": null, "entrypoint": "python a.py"},
        {"type": "SUBMISSION", "job_id": null, "submission_id": "raysubmit_a", "entrypoint": "x", "driver_info": {"id": "02000000"}},
        {"type": "SUBMISSION", "job_id": null, "submission_id": "raysubmit_b", "entrypoint": "x", "driver_info": null}, 3])"));
    REQUIRE(jobs);
    REQUIRE(jobs->size() == 2);
    CHECK(jobs->at(1).job_id == "02000000");
    CHECK(!read_jobs(json::object()));
}

TEST_CASE("rows: documents of another shape are errors") {
    for (const json& document :
         {json(), json::array(), json::object(), json{{"data", 1}}, json{{"data", {{"result", json::array()}}}},
          json{{"data", {{"result", {{"result", "x"}}}}}}}) {
        CHECK(!read_workers(document, false));
        CHECK(!read_tasks(document));
        CHECK(!read_actors(document));
    }
}

TEST_CASE("rows: what the JSON parser refuses is mended, big fields are left out") {
    const auto mended =
        parse_document("{\"a\": \"\\udc80\", \"b\": \"\xff\", \"n\": 18446744073709551615, \"events\": [{\"x\": 1}]}");
    REQUIRE(mended);
    CHECK((*mended)["a"] == "\xef\xbf\xbd");
    CHECK((*mended)["b"] == "\xef\xbf\xbd");
    CHECK(!mended->contains("events"));
    const auto half = parse_document(R"({"data": {"res)");
    REQUIRE(!half);
    CHECK(half.error().find("not JSON") != std::string::npos);
    CHECK(!parse_document(""));
    CHECK(!parse_document(std::string(100000, '[')));
}

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "discovery/target.hpp"

// g++ 12 takes fields that a designated initializer leaves out for forgotten ones.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

using namespace discovery;
using nlohmann::json;

TEST_CASE("target: JSON has every field of the contract, null where unset") {
    const json row = to_json(Target{.target = "w", .name = "square", .port = 55143, .pid = 8552, .state = "waiting"});
    for (const char* key : {"target", "kind", "name", "task_id", "actor_id", "actor_name", "job_id", "submission_id",
                            "node_id", "ip", "port", "pid", "state", "paused_threads"})
        CHECK(row.contains(key));
    CHECK(row.size() == 14);
    CHECK(row["kind"] == "worker");
    CHECK(row["task_id"].is_null());
    CHECK(row["port"] == 55143);
}

TEST_CASE("target: round trip") {
    const Target target{"w", TargetKind::actor, "Counter.add", "t",  "a",         "counter", "01000000", "raysubmit_x",
                        "n", "fd00::1",         55143,         8552, "listening", 3,         0};
    CHECK(from_json(to_json(target)) == target);
    CHECK(from_json(json::parse(to_json(target).dump())) == target);
}

TEST_CASE("target: foreign input does no harm") {
    CHECK(from_json(json()) == Target{});
    CHECK(from_json(json::array({1})) == Target{});
    CHECK(from_json({{"target", 1},
                     {"port", 70000},
                     {"pid", "x"},
                     {"kind", "god"},
                     {"paused_threads", 18446744073709551615ULL}}) == Target{});
}

#include <doctest/doctest.h>

#include "discovery/selector.hpp"

// g++ 12 takes fields that a designated initializer leaves out for forgotten ones.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

using namespace discovery;
using Indices = std::vector<std::size_t>;

namespace {

const std::vector<Target> targets = {
    {.target = "4c647ff2c6fba3f3db71",
     .kind = TargetKind::task,
     .name = "square",
     .task_id = "e0dc174c83599034ffff",
     .job_id = "01000000",
     .submission_id = "raysubmit_a",
     .node_id = "3c6e169db20b",
     .ip = "10.0.0.1",
     .pid = 424},
    {.target = "4c647ff2ffffffffffff",
     .kind = TargetKind::actor,
     .name = "Counter.add",
     .task_id = "16310a0f0a45af5c579e",
     .actor_id = "579eb5dc9af4cb7b",
     .actor_name = "counter@home",
     .job_id = "02000000",
     .node_id = "3c6e169dffff",
     .ip = "fd00::1",
     .pid = 424},
    {.target = "01000000ffffffffffff",
     .kind = TargetKind::driver,
     .name = "python job.py --square",
     .job_id = "01000000",
     .submission_id = "raysubmit_a",
     .node_id = "3c6e169db20b",
     .ip = "10.0.0.1",
     .pid = 400},
    {.target = "d9ef00019cabb8ab58c7",
     .kind = TargetKind::actor,
     .name = "mod.Waiter.{fetch|store}",
     .actor_id = "aaaabbbbccccdddd",
     .job_id = "02000000",
     .node_id = "999999999999",
     .ip = "10.0.0.3",
     .pid = 12345678},
};

Indices by(const std::string& target) {
    const auto found = select(targets, {.target = target});
    CAPTURE(target);
    REQUIRE(found);
    return *found;
}

SelectionError failing(const Query& query) {
    const auto found = select(targets, query);
    REQUIRE(!found);
    return found.error();
}

}  // namespace

TEST_CASE("selector: no target means all of the job and node") {
    CHECK(*select(targets, {}) == Indices{0, 1, 2, 3});
    CHECK(*select(targets, {.job = "01000000"}) == Indices{0, 2});
    CHECK(*select(targets, {.job = "raysubmit_a"}) == Indices{0, 2});
    CHECK(*select(targets, {.job = "nope"}) == Indices{});
    CHECK(*select(targets, {.job = ""}) == Indices{});
    CHECK(*select(targets, {.node = "10.0.0.1"}) == Indices{0, 2});
    CHECK(*select(targets, {.node = "[fd00:0::1]"}) == Indices{1});
    CHECK(*select(targets, {.node = "3c6e169db20b"}) == Indices{0, 2});
    CHECK(*select(targets, {.node = "3c6e169db"}) == Indices{0, 2});
    CHECK(*select(targets, {.node = "3c6e"}) == Indices{});
    CHECK(*select(targets, {.target = "424", .job = "01000000", .node = "10.0.0.1"}) == Indices{0});
    CHECK(failing({.node = "3c6e169d"}).kind == SelectionError::Kind::ambiguous_prefix);
    CHECK(failing({.node = ""}).kind == SelectionError::Kind::malformed);
}

TEST_CASE("selector: ids, their prefixes and names") {
    CHECK(by("4c647ff2c6fba3f3db71") == Indices{0});
    CHECK(by("4C647FF2C6FBA3F3DB71") == Indices{0});
    CHECK(by("e0dc174c83599034ffff") == Indices{0});
    CHECK(by("579eb5dc9af4cb7b") == Indices{1});
    CHECK(by("4c647ff2c") == Indices{0});
    CHECK(by("16310a0f") == Indices{1});
    CHECK(by("counter@home") == Indices{1});
    CHECK(by("deadbeefdeadbeef") == Indices{});
}

TEST_CASE("selector: a prefix that fits several ids is an error with the candidates") {
    const auto error = failing({.target = "4c647ff2"});
    CHECK(error.kind == SelectionError::Kind::ambiguous_prefix);
    CHECK(error.message.find("4c647ff2c6fba3f3db71 (square, pid 424@10.0.0.1)") != std::string::npos);
    CHECK(error.message.find("Counter.add") != std::string::npos);
    // Within one job it is unique.
    CHECK(*select(targets, {.target = "4c647ff2", .job = "02000000"}) == Indices{1});
}

TEST_CASE("selector: pid and pid@ip") {
    CHECK(by("424") == Indices{0, 1});
    CHECK(by("424@10.0.0.1") == Indices{0});
    CHECK(by("424@fd00::1") == Indices{1});
    CHECK(by("424@[fd00:0:0::1]") == Indices{1});
    CHECK(by("12345678") == Indices{3});
    CHECK(by("999") == Indices{});
    CHECK(by("999@10.0.0.1") == Indices{});
    CHECK(by("01000000f") == Indices{2});
    CHECK(failing({.target = "424@nowhere"}).kind == SelectionError::Kind::malformed);
    CHECK(failing({.target = "424@"}).kind == SelectionError::Kind::malformed);
    CHECK(by("99999999999999999999999999") == Indices{});
}

TEST_CASE("selector: globs on the function name") {
    CHECK(by("square") == Indices{0});
    CHECK(by("sq*") == Indices{0});
    CHECK(by("add") == Indices{1});
    CHECK(by("Counter.add") == Indices{1});
    CHECK(by("Counter.*") == Indices{1});
    CHECK(by("store") == Indices{3});
    CHECK(by("Waiter.fetch") == Indices{3});
    CHECK(by("mod.Waiter.{fetch|store}") == Indices{3});
    CHECK(by("*") == Indices{0, 1, 2, 3});
    CHECK(by("python*") == Indices{2});
    CHECK(by("py*square") == Indices{2});
    CHECK(by("Square") == Indices{});
    CHECK(by("[") == Indices{});
}

TEST_CASE("selector: malformed targets") {
    CHECK(failing({.target = ""}).kind == SelectionError::Kind::malformed);
    CHECK(failing({.target = "579eb5"}).message.find("8 characters") != std::string::npos);
}

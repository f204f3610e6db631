#include <set>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "dap/error.hpp"

using dap::ErrorCode;
using nlohmann::json;

TEST_CASE("error: every code has one row, in the order of the enumeration") {
    const auto& rows = dap::all_errors();
    // The last code of the enumeration.
    REQUIRE(rows.size() == static_cast<std::size_t>(ErrorCode::closed_by_peer) + 1);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(static_cast<std::size_t>(rows[i].code) == i);
        CHECK(&dap::error_info(rows[i].code) == &rows[i]);
    }
}

TEST_CASE("error: ids and names are unique and well formed") {
    std::set<int> ids;
    std::set<std::string_view> names;
    for (const dap::ErrorInfo& row : dap::all_errors()) {
        CAPTURE(row.name);
        CHECK(row.id > 0);
        CHECK(ids.insert(row.id).second);
        CHECK_FALSE(row.name.empty());
        CHECK(names.insert(row.name).second);
        CHECK(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos);
        if (!row.url.empty())
            CHECK(row.url.substr(0, 8) == "https://");
    }
}

TEST_CASE("error: cancelled, timed out and closed by the peer are three things") {
    CHECK(dap::error_info(ErrorCode::cancelled).name == "cancelled");  // DAP, "Response.message"
    CHECK(dap::error_info(ErrorCode::timed_out).id != dap::error_info(ErrorCode::closed_by_peer).id);
    CHECK_FALSE(dap::error_info(ErrorCode::cancelled).show_user);
}

TEST_CASE("error: the body of an error response") {
    for (const dap::ErrorInfo& row : dap::all_errors()) {
        CAPTURE(row.name);
        const json body = dap::error_body({row.code, "What happened. What to do."});
        REQUIRE(body.size() == 1);
        const json& error = body["error"];
        CHECK(error["id"] == row.id);
        CHECK(error["format"] == "What happened. What to do.");
        CHECK(error["showUser"] == row.show_user);
        CHECK(error.contains("url") == !row.url.empty());
        CHECK(error.contains("urlLabel") == error.contains("url"));
        if (error.contains("url"))
            CHECK(error["url"] == row.url);
    }
}

TEST_CASE("error: a value that is not there is a bug, told with its message") {
    const dap::Result<int> nothing = dap::Error{ErrorCode::timed_out, "Too late."};
    CHECK_THROWS_WITH_AS(static_cast<void>(nothing.value()), "Too late.", std::logic_error);
}

#include <map>

#include <doctest/doctest.h>

#include "discovery/url.hpp"

using namespace discovery;

namespace {

std::string understood(const char* text) {
    const auto url = parse_url(text);
    return url ? url->text() : "error";
}

Environment environment(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
}

}  // namespace

TEST_CASE("url: forms of the dashboard's address") {
    CHECK(understood("http://10.0.0.1:8265") == "http://10.0.0.1:8265");
    CHECK(understood("  HTTP://head.example/ ") == "http://head.example:80");
    CHECK(understood("https://head.example") == "https://head.example:443");
    CHECK(understood("https://head/ray/one/") == "https://head:443/ray/one");
    CHECK(understood("head") == "http://head:8265");
    CHECK(understood("head:80") == "http://head:80");
    CHECK(understood("http://[::1]:8265") == "http://[::1]:8265");
    CHECK(understood("[fd00::a]") == "http://[fd00::a]:8265");
    CHECK(understood("https://[fe80::1%eth0]/x") == "https://[fe80::1%eth0]:443/x");
    CHECK(understood("http://127.0.0.1:8265/#/jobs") == "http://127.0.0.1:8265");
    CHECK(parse_url("http://[::1]:1")->host == "::1");
}

TEST_CASE("url: what cannot be used says why") {
    for (const char* text :
         {"", "   ", "ray://head:10001", "ftp://head", "http://", "http://head:0", "http://head:65536",
          "http://head:", "::1", "http://::1:8265", "http://[::1", "http://[zz]", "http://[::1]x", "http://he ad",
          "http://head/a b", "http://head/?a=b", "http://user:secret@head", "auto head"}) {
        CAPTURE(text);
        const auto url = parse_url(text);
        REQUIRE(!url);
        CHECK(url.error().find("http://10.0.0.1:8265") != std::string::npos);
        CHECK(url.error().find("secret") == std::string::npos);
    }
    CHECK(parse_url("ray://head:10001").error().find("Ray Client") != std::string::npos);
}

TEST_CASE("url: flag, then RAY_API_SERVER_ADDRESS, then an http RAY_ADDRESS, then the default") {
    const std::map<std::string, std::string> both = {{"RAY_API_SERVER_ADDRESS", "http://api:1"},
                                                     {"RAY_ADDRESS", "http://ray:2"}};
    CHECK(dashboard_url_from("flag:3", environment(both))->text() == "http://flag:3");
    CHECK(dashboard_url_from("", environment(both))->text() == "http://api:1");
    CHECK(dashboard_url_from("", environment({{"RAY_ADDRESS", "https://ray"}}))->text() == "https://ray:443");
    for (const char* other : {"auto", "ray://head:10001", "10.0.0.1:6379", ""})
        CHECK(dashboard_url_from("", environment({{"RAY_ADDRESS", other}}))->text() == "http://127.0.0.1:8265");
    CHECK(dashboard_url_from("", environment({}))->text() == "http://127.0.0.1:8265");
    CHECK(!dashboard_url_from("", environment({{"RAY_API_SERVER_ADDRESS", "ray://x"}})));
}

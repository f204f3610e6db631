#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "discovery/worker_setup.hpp"

using discovery::setup_expression;
using nlohmann::json;

namespace {

bool ascii(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7f; });
}

}  // namespace

TEST_CASE("worker setup: one line of ASCII, whatever the arguments hold, and without the token") {
    const json arguments = {
        {"localRoot", "/home/na\xc3\xafve/\xf0\x9f\x98\x80\"'\\\n"}, {"bad", "\xff"}, {"token", "geheim"}};
    const std::string expression = setup_expression(arguments, true);
    CHECK(ascii(expression));
    CHECK(expression.starts_with("(lambda ns: (exec("));
    CHECK(expression.ends_with("'first': True})"));
    CHECK(expression.find("geheim") == std::string::npos);
    CHECK(setup_expression(json(), false).ends_with("'first': False})"));
}

TEST_CASE("worker setup: Python evaluates it anywhere, gets the arguments unharmed, and it never raises") {
    if (std::system("python3 -c pass >/dev/null 2>&1") != 0) {
        MESSAGE("no python3 here: not evaluated");
        return;
    }
    std::string folder = (std::filesystem::temp_directory_path() / "setup-XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const json arguments = {
        {"localRoot", {{".", "/home/na\xc3\xafve/\xf0\x9f\x98\x80\"'\\\n"}}}, {"pathMappings", 7}, {"rules", 3}};
    std::ofstream(folder + "/a.py") << "import base64, json\nresult = json.loads(base64.b64decode("
                                    << setup_expression(arguments, false) << "))\n"
                                    << "assert result['python'][0] == 3 and result['problems'], result\n";
    CHECK(std::system(("python3 " + folder + "/a.py").c_str()) == 0);
    std::filesystem::remove_all(folder);
}

#include <filesystem>
#include <fstream>
#include <map>

#include <doctest/doctest.h>
#include <unistd.h>

#include "discovery/token.hpp"

using namespace discovery;
namespace fs = std::filesystem;

namespace {

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "token-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        fs::create_directories((path / name).parent_path());
        // Replaced, not rewritten: another inode shows the change however coarse the clock of the files is.
        std::ofstream(path / "new") << text;
        fs::rename(path / "new", path / name);
        return (path / name).string();
    }
};

Environment environment(const std::map<std::string, std::string>& values) {
    return [&values](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
}

}  // namespace

TEST_CASE("token: variable, then the named file, then the one at home") {
    const Folder folder;
    std::map<std::string, std::string> values = {{"HOME", folder.path.string()}};
    TokenSource source(environment(values));
    CHECK(!source.get());
    CHECK(source.describe().find("does not exist") != std::string::npos);

    const std::string home = folder.write(".ray/auth_token", " at-home \n");
    CHECK(source.get() == "at-home");
    CHECK(source.describe() == "the token of the file " + home);

    values["RAY_AUTH_TOKEN_PATH"] = folder.write("named", "from-file\n");
    CHECK(source.get() == "from-file");

    values["RAY_AUTH_TOKEN"] = "\tfrom-variable\n";
    CHECK(source.get() == "from-variable");
    CHECK(source.describe() == "the token of RAY_AUTH_TOKEN");

    values.erase("RAY_AUTH_TOKEN");
    CHECK(source.get() == "from-file");
    CHECK(source.describe().find("from-file") == std::string::npos);
}

TEST_CASE("token: a file that rotates is read again") {
    const Folder folder;
    const std::map<std::string, std::string> values = {{"RAY_AUTH_TOKEN_PATH", folder.write("token", "one")}};
    TokenSource source(environment(values));
    CHECK(source.get() == "one");
    CHECK(!source.read_again());
    folder.write("token", "two");
    CHECK(source.read_again());
    CHECK(source.get() == "two");
    folder.write("token", "three");
    CHECK(source.get() == "three");
    fs::remove(folder.path / "token");
    CHECK(!source.get());
}

TEST_CASE("token: what no header can carry is no token") {
    const Folder folder;
    for (const char* text : {"", " \n", "a\r\nX-Evil: 1", "tok\xc3\xa9n"}) {
        const std::map<std::string, std::string> values = {{"RAY_AUTH_TOKEN_PATH", folder.write("token", text)}};
        TokenSource source(environment(values));
        CHECK(!source.get());
        CHECK(source.describe().starts_with("no token"));
    }
}

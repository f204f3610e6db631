#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "discovery/dashboard.hpp"
#include "fake_dashboard.hpp"

using namespace discovery;
using namespace std::chrono_literals;
using Kind = Trouble::Kind;
using nlohmann::json;

namespace {

const DashboardLimits quick{.connect = 500ms, .read = 300ms, .answer = 2000ms, .bytes = 1 << 20};

TokenSource no_token() {
    return TokenSource([](const std::string&) { return std::nullopt; });
}

Dashboard client(const FakeDashboard& fake, const std::string& prefix = {}) {
    return Dashboard(*parse_url(fake.url(prefix)), no_token(), quick);
}

/// The trouble that asking for paused workers meets when they are answered by `reply`.
Trouble trouble_of(const FakeDashboard::Reply& reply) {
    FakeDashboard fake;
    fake.set("/", reply);
    Dashboard dashboard = client(fake);
    const auto answer = dashboard.paused_workers();
    REQUIRE(!answer);
    CHECK(answer.error().message.find(fake.url()) != std::string::npos);
    return answer.error();
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "dashboard-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

/// Writes a key and a certificate for 127.0.0.1 that is its own authority.
void self_sign(const std::string& certificate_file, const std::string& key_file) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    REQUIRE(key);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* alternative = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_sign(certificate, key, EVP_sha256());
    FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/// A server that answers the first request of a connection, and closes at the second without a word.
struct OneAnswerEach {
    int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    int port = 0;
    std::atomic<std::size_t> connections{0};
    std::thread thread;

    explicit OneAnswerEach(const std::string& body) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener, 8) == 0);
        REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = ntohs(address.sin_port);
        thread = std::thread([this, answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                                             std::to_string(body.size()) + "\r\n\r\n" + body] {
            for (int peer = ::accept(listener, nullptr, nullptr); peer >= 0;
                 peer = ::accept(listener, nullptr, nullptr)) {
                ++connections;
                if (read_request(peer) && ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL) > 0)
                    read_request(peer);
                ::close(peer);
            }
        });
    }
    ~OneAnswerEach() {
        ::shutdown(listener, SHUT_RDWR);
        thread.join();
        ::close(listener);
    }
    static bool read_request(int peer) {
        std::string text;
        char byte = 0;
        while (!text.ends_with("\r\n\r\n") && ::recv(peer, &byte, 1, 0) == 1)
            text += byte;
        return text.ends_with("\r\n\r\n");
    }
};

}  // namespace

TEST_CASE("dashboard: all methods over one connection") {
    FakeDashboard fake;
    fake.set("/api/version", {.body = R"({"version": "4", "ray_version": "2.60.0", "session_name": "session_x"})"});
    fake.set_rows("workers", {worker_row("aa"), worker_row("bb", 0), worker_row("cc", 1, {{"is_alive", false}})});
    fake.set_rows("tasks", {task_row("aa", "square"), task_row("bb", "other")});
    fake.set_rows("actors", {{{"actor_id", "a1"}, {"name", "wally"}}, {{"actor_id", "a2"}, {"name", nullptr}}});
    fake.set_rows("jobs", {{{"job_id", "01000000"}, {"submission_id", nullptr}, {"entrypoint", "python a.py"}}});
    Dashboard dashboard = client(fake);
    CHECK(dashboard.version()->ray_version == "2.60.0");
    CHECK(dashboard.paused_workers()->rows.size() == 1);
    CHECK(dashboard.listening_workers()->rows.size() == 2);
    CHECK(dashboard.running_tasks()->rows.size() == 2);
    CHECK(dashboard.running_tasks("bb")->rows.at(0).name == "other");
    const auto actors = dashboard.actors({"a1"});
    REQUIRE(actors->rows.size() == 1);
    CHECK(actors->rows[0].name == "wally");
    CHECK(dashboard.actors({"a1", "a2", "a3", "a4", "a5"})->rows.size() == 2);
    CHECK(dashboard.actors({})->rows.empty());
    CHECK(dashboard.jobs()->at(0).entrypoint == "python a.py");
    CHECK(fake.connections() == 1);
    const auto targets = fake.targets();
    CHECK(targets.at(1) ==
          "/api/v0/workers?detail=1&limit=10000&filter_keys=num_paused_threads&filter_predicates=%21%3D"
          "&filter_values=0&filter_keys=is_alive&filter_predicates=%3D&filter_values=True");
    CHECK(targets.at(4) ==
          "/api/v0/tasks?detail=1&limit=10000&filter_keys=state&filter_predicates=%3D&filter_values=RUNNING"
          "&filter_keys=worker_id&filter_predicates=%3D&filter_values=bb");
}

TEST_CASE("dashboard: a path prefix comes before every path") {
    FakeDashboard fake;
    fake.set("/ray/one/api/v0/workers", {.body = state_answer({worker_row("aa")}).dump()});
    CHECK(client(fake, "/ray/one/").paused_workers()->rows.size() == 1);
    CHECK(client(fake).paused_workers().error().kind == Kind::not_a_dashboard);
}

TEST_CASE("dashboard: what is no dashboard is named") {
    const auto page =
        trouble_of({.body = "<html><body>Sign in</body></html>", .content_type = "text/html; charset=utf-8"});
    CHECK(page.kind == Kind::not_a_dashboard);
    CHECK(contains(page.message, "text/html"));
    CHECK(contains(page.message, "200"));
    CHECK(contains(page.message, "--address"));
    CHECK(trouble_of({.body = "hello", .content_type = "text/plain"}).kind == Kind::not_a_dashboard);
    CHECK(trouble_of({.body = R"({"hello": 1})"}).kind == Kind::not_a_dashboard);
    CHECK(trouble_of({.body = R"({"data": {"result": {"result": [)"}).kind == Kind::not_a_dashboard);
    CHECK(trouble_of({.body = ""}).kind == Kind::not_a_dashboard);
    CHECK(trouble_of({.status = 404, .body = "404: Not Found", .content_type = "text/plain"}).kind ==
          Kind::not_a_dashboard);
    const auto moved = trouble_of({.status = 302, .body = "", .location = "https://login.example/"});
    CHECK(moved.kind == Kind::not_a_dashboard);
    CHECK(contains(moved.message, "https://login.example/"));
}

TEST_CASE("dashboard: refusals carry the server's own words") {
    const auto json_text =
        trouble_of({.status = 400, .body = R"({"result": false, "msg": "limit 20000 exceeds", "data": {}})"});
    CHECK(json_text.kind == Kind::rejected);
    CHECK(contains(json_text.message, "limit 20000 exceeds"));
    const auto plain = trouble_of(
        {.status = 500, .body = "500 Internal\nServer Error" + std::string(5000, 'x'), .content_type = "text/plain"});
    CHECK(plain.kind == Kind::rejected);
    CHECK(contains(plain.message, "500 Internal Server Error"));
    CHECK(plain.message.size() < 600);
    CHECK(trouble_of({.status = 429, .body = "too many"}).kind == Kind::rejected);
    CHECK(trouble_of({.status = 503, .body = "<html>", .content_type = "text/html"}).kind == Kind::unreachable);
}

TEST_CASE("dashboard: half a body, silence, too much, nobody there") {
    const auto half = trouble_of({.body = R"({"data": {"res)", .cut_short = true});
    CHECK(half.kind == Kind::unreachable);
    CHECK(contains(half.message, "middle"));
    CHECK(trouble_of({.body = "{}", .hang = true}).kind == Kind::timed_out);
    const auto much = trouble_of({.body = "[\"" + std::string(2 << 20, 'x') + "\"]"});
    CHECK(much.kind == Kind::rejected);
    CHECK(contains(much.message, "MiB"));

    FakeDashboard fake;
    fake.set_rows("workers", json::array());
    Dashboard dashboard = client(fake);
    CHECK(dashboard.paused_workers());
    fake.stop();
    const auto nobody = dashboard.paused_workers();
    REQUIRE(!nobody);
    CHECK(nobody.error().kind == Kind::unreachable);
    CHECK(contains(nobody.error().message, "cannot be reached"));
    fake.restart();
    CHECK(dashboard.paused_workers());
}

TEST_CASE("dashboard: a token is sent, and read again when it is refused") {
    const Folder folder;
    const std::string file = (folder.path / "token").string();
    const auto write = [&](const std::string& text) {
        std::ofstream(file + ".new") << text;
        std::filesystem::rename(file + ".new", file);
    };
    FakeDashboard fake;
    fake.set_rows("workers", {worker_row("aa")});
    fake.set_token("secret-one");
    Dashboard dashboard(*parse_url(fake.url()), TokenSource([&](const std::string& name) -> std::optional<std::string> {
        return name == "RAY_AUTH_TOKEN_PATH" ? std::optional(file) : std::nullopt;
    }),
                        quick);
    const auto missing = dashboard.paused_workers();
    REQUIRE(!missing);
    CHECK(missing.error().kind == Kind::unauthorized);
    CHECK(contains(missing.error().message, "RAY_AUTH_TOKEN_PATH"));
    write("secret-one\n");
    CHECK(dashboard.paused_workers());
    fake.set_token("secret-two");
    const auto wrong = dashboard.paused_workers();
    REQUIRE(!wrong);
    CHECK(wrong.error().kind == Kind::forbidden);
    CHECK(contains(wrong.error().message, file));
    CHECK(!contains(wrong.error().message, "secret"));
    write("secret-two");
    CHECK(dashboard.paused_workers());
}

TEST_CASE("dashboard: a kept connection that the server closed is replaced") {
    FakeDashboard fake;
    fake.set_rows("workers", {worker_row("aa")});
    Dashboard dashboard = client(fake);
    CHECK(dashboard.paused_workers());
    fake.restart();
    CHECK(dashboard.paused_workers());
}

TEST_CASE("dashboard: a kept connection that closes just when it is used again costs one retry, no more") {
    OneAnswerEach server(state_answer(json::array()).dump());
    Dashboard dashboard(*parse_url("http://127.0.0.1:" + std::to_string(server.port)), no_token(), quick);
    for (std::size_t i = 1; i <= 3; ++i) {
        CHECK(dashboard.paused_workers());
        CHECK(server.connections == i);
    }
}

TEST_CASE("dashboard: stop ends a request under way, and all later ones") {
    FakeDashboard fake;
    fake.set("/", {.hang = true});
    Dashboard dashboard(*parse_url(fake.url()), no_token());
    const auto begun = std::chrono::steady_clock::now();
    std::thread stopper([&] {
        while (fake.requests() == 0)
            std::this_thread::yield();
        dashboard.stop();
    });
    CHECK(dashboard.paused_workers().error().kind == Kind::stopped);
    stopper.join();
    CHECK(dashboard.jobs().error().kind == Kind::stopped);
    CHECK(std::chrono::steady_clock::now() - begun < 3s);
}

TEST_CASE("dashboard: https trusts what SSL_CERT_FILE names, and nothing else") {
    const Folder folder;
    const std::string certificate = (folder.path / "certificate.pem").string();
    const std::string key = (folder.path / "key.pem").string();
    self_sign(certificate, key);
    FakeDashboard fake(certificate, key);
    fake.set_rows("workers", {worker_row("aa")});

    const auto stranger = client(fake).paused_workers();
    REQUIRE(!stranger);
    CHECK(stranger.error().kind == Kind::unreachable);
    CHECK(contains(stranger.error().message, "SSL_CERT_FILE"));

    setenv("SSL_CERT_FILE", certificate.c_str(), 1);
    Dashboard dashboard = client(fake);
    const auto trusted = dashboard.paused_workers();
    unsetenv("SSL_CERT_FILE");
    CHECK(trusted);
    CHECK(dashboard.paused_workers());

    const Url plain = *parse_url("https://127.0.0.1:" + std::to_string(FakeDashboard().port()));
    CHECK(Dashboard(plain, no_token(), quick).paused_workers().error().kind == Kind::unreachable);
}

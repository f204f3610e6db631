// Whatever order 1 to 50 workers and a client speak in, no id of one worker ever reaches another.
//
// Every worker counts its ids from one, so they collide all the time. What it answers says who it is and which of its
// own ids it was asked about; the client notes that for each id it is given, and expects it back.
#include <map>
#include <random>
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/fake_world.hpp"

using namespace test;
using nlohmann::json;

namespace {

/// What an id of the client stands for, as the worker said with it.
struct Meaning {
    std::string worker;
    std::int64_t local;
    bool operator==(const Meaning&) const = default;
};

/// Kinds of ids, by the member that carries them in a request.
using Known = std::map<std::string, std::map<std::int64_t, Meaning>>;

/// A debugpy that names itself in every answer, and counts each kind of id from one.
class EchoingWorker {
  public:
    explicit EchoingWorker(FakeWorker& worker) : m_worker(worker) {
        worker.script = [this](const json& request) { return take(request); };
    }

    std::size_t violations = 0;

    /// Answers one of the requests that wait, in any order; whether there was one.
    bool answer_some(std::mt19937& random) {
        if (m_waiting.empty())
            return false;
        const auto at = m_waiting.begin() + static_cast<std::ptrdiff_t>(random() % m_waiting.size());
        const json request = *at;
        m_waiting.erase(at);
        answer(request);
        return true;
    }

    void say_something(std::mt19937& random) {
        switch (random() % 5) {
            case 0:
                m_worker.stop(1 + static_cast<std::int64_t>(random() % 3), "breakpoint");
                break;
            case 1:
                m_worker.event("continued", {{"threadId", 1}, {"allThreadsContinued", true}});
                m_frames.clear();
                m_variables.clear();
                break;
            case 2:
                m_worker.event("thread", {{"reason", "started"}, {"threadId", 1 + random() % 3}});
                break;
            case 3:
                m_worker.event("output", {{"output", m_worker.id}, {"variablesReference", fresh(m_variables)}});
                break;
            default:
                m_worker.event("module", {{"reason", "new"}, {"module", {{"id", 1}, {"name", m_worker.id}}}});
                break;
        }
    }

  private:
    bool take(const json& request) {
        const std::string command = request["command"];
        static const std::set<std::string> mine = {"threads", "stackTrace",    "scopes",      "variables", "evaluate",
                                                   "source",  "stepInTargets", "setVariable", "next",      "continue"};
        if (!mine.contains(command) || (command == "evaluate" && m_worker.count("configurationDone") == 0))
            return false;
        m_waiting.push_back(request);
        return true;
    }

    std::int64_t fresh(std::set<std::int64_t>& ids) {
        ids.insert(++m_last);
        return m_last;
    }

    /// Whether the bridge asks about an id that this worker gave.
    void check(const json& arguments, const char* name, const std::set<std::int64_t>& given) {
        if (arguments.contains(name) && !given.contains(arguments[name].get<std::int64_t>()))
            ++violations;
    }

    void answer(const json& request) {
        const json arguments = request.value("arguments", json::object());
        const std::string command = request["command"];
        check(arguments, "threadId", {1, 2, 3});
        // After the worker ran on, a late request may still ask about what was: debugpy says so, and so do we.
        for (const char* name : {"frameId", "variablesReference"}) {
            if (arguments.contains(name) && arguments[name].get<std::int64_t>() > m_last)
                ++violations;
        }
        json body = {{"who", m_worker.id}, {"about", arguments}};
        if (command == "threads")
            body["threads"] = {
                {{"id", 1}, {"name", "MainThread"}}, {{"id", 2}, {"name", "b"}}, {{"id", 3}, {"name", "c"}}};
        else if (command == "stackTrace") {
            const std::int64_t frame = fresh(m_frames);
            body["stackFrames"] = {
                {{"id", frame}, {"line", 1}, {"local", frame}, {"source", {{"sourceReference", 1}}}}};
        } else if (command == "scopes" || command == "variables" || command == "evaluate" || command == "setVariable") {
            const std::int64_t reference = fresh(m_variables);
            const json element = {{"variablesReference", reference}, {"local", reference}};
            if (command == "scopes" || command == "variables")
                body[command] = {element};
            else
                body.update(element);
        } else if (command == "stepInTargets") {
            body["targets"] = {{{"id", 1}, {"label", "f"}}};
        }
        m_worker.answer(request, body);
    }

    FakeWorker& m_worker;
    std::vector<json> m_waiting;
    std::set<std::int64_t> m_frames;
    std::set<std::int64_t> m_variables;
    std::int64_t m_last = 0;
};

/// The client's side: asks about ids that it knows, and checks who answers.
class CheckingClient {
  public:
    explicit CheckingClient(FakeClient& client) : m_client(client) {}

    void ask(std::mt19937& random) {
        struct Question {
            const char* command;
            const char* about;
        };
        static const std::vector<Question> questions = {
            {"stackTrace", "threadId"},
            {"scopes", "frameId"},
            {"variables", "variablesReference"},
            {"evaluate", "frameId"},
            {"evaluate", ""},
            {"threads", ""},
            {"source", "sourceReference"},
            {"next", "threadId"},
            {"continue", "threadId"},
            {"setVariable", "variablesReference"},
            {"stepInTargets", "frameId"},
        };
        const Question question = questions[random() % questions.size()];
        json arguments = json::object();
        std::optional<Meaning> expected;
        if (*question.about != '\0') {
            const auto& ids = m_known[question.about];
            if (ids.empty())
                return;
            const auto chosen = std::next(ids.begin(), static_cast<std::ptrdiff_t>(random() % ids.size()));
            arguments[question.about] = chosen->first;
            expected = chosen->second;
        }
        m_asked[m_client.send(question.command, arguments)] = {question.about, expected};
    }

    void read() {
        for (const json& message : m_client.line.sent) {
            if (message["type"] == "event")
                on_event(message);
            else if (message["type"] == "response")
                on_response(message);
        }
        m_client.line.sent.clear();
    }

    std::size_t unanswered() const { return m_asked.size(); }
    std::size_t answers = 0;
    std::size_t right = 0;

  private:
    struct Asked {
        std::string about;
        std::optional<Meaning> expected;
    };

    void learn(const std::string& name, const json& id, const Meaning& meaning) {
        const auto [known, is_new] = m_known[name].try_emplace(id.get<std::int64_t>(), meaning);
        CHECK_MESSAGE(known->second == meaning,
                      name << " " << id << " is of " << known->second.worker << ", then of " << meaning.worker);
    }

    void on_event(const json& message) {
        const json body = message.value("body", json::object());
        if (message["event"] == "stopped" || message["event"] == "thread")
            m_threads.insert(body["threadId"].get<std::int64_t>());
    }

    void on_response(const json& message) {
        const auto asked = m_asked.find(message["request_seq"].get<std::int64_t>());
        if (asked == m_asked.end())
            return;
        const Asked about = asked->second;
        m_asked.erase(asked);
        ++answers;
        const json body = message.value("body", json::object());
        if (message["success"] != true || !body.contains("who")) {
            if (message["success"] == true && body.contains("threads"))
                for (const json& thread : body["threads"])
                    learn_thread(thread);
            return;
        }
        const std::string who = body["who"];
        if (about.expected) {
            ++right;
            CHECK(about.expected->worker == who);
        }
        for (const char* list : {"scopes", "variables"}) {
            for (const json& element : body.value(list, json::array()))
                learn("variablesReference", element["variablesReference"], {who, element["local"]});
        }
        if (body.contains("variablesReference"))
            learn("variablesReference", body["variablesReference"], {who, body["local"]});
        for (const json& frame : body.value("stackFrames", json::array())) {
            learn("frameId", frame["id"], {who, frame["local"]});
            learn("sourceReference", frame["source"]["sourceReference"], {who, 1});
        }
    }

    /// "square · pid 101 @ 10.0.0.1": worker 1.
    void learn_thread(const json& thread) {
        const std::string name = thread["name"];
        const std::string pid = name.substr(name.find("pid ") + 4, 3);
        learn("threadId", thread["id"], {"w" + std::to_string(std::stoi(pid) - 100), 0});
    }

    FakeClient& m_client;
    Known m_known;
    std::set<std::int64_t> m_threads;
    std::map<std::int64_t, Asked> m_asked;
};

}  // namespace

TEST_CASE("merged: random interleavings of 1 to 50 workers never mix up two workers' ids") {
    std::size_t right = 0;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        World world;
        const std::size_t most = 1 + random() % 50;
        std::vector<std::unique_ptr<EchoingWorker>> workers;
        const auto add = [&] {
            const std::string id = "w" + std::to_string(workers.size() + 1);
            workers.push_back(std::make_unique<EchoingWorker>(world.add_worker(id)));
        };
        add();
        FakeClient& client = world.add_client();
        client.send("attach", {{"sessions", "merged"}});
        world.look();
        client.send("configurationDone");
        CheckingClient checking(client);
        for (int step = 0; step < 600; ++step) {
            const std::size_t at = random() % workers.size();
            FakeWorker& worker = *world.workers["w" + std::to_string(at + 1)];
            switch (random() % 16) {
                case 0:
                    if (workers.size() < most)
                        add();
                    break;
                case 1:
                    world.look();
                    break;
                case 2:
                case 3:
                    workers[at]->say_something(random);
                    break;
                case 4:
                    if (random() % 8 == 0)
                        worker.line.break_off();
                    break;
                case 5:
                case 6:
                case 7:
                case 8:
                    checking.ask(random);
                    break;
                case 9:
                    world.settle();
                    break;
                default:
                    workers[at]->answer_some(random);
                    break;
            }
            checking.read();
        }
        // Every request gets its one answer.
        for (int round = 0; round < 5; ++round) {
            world.settle();
            for (const auto& worker : workers) {
                while (worker->answer_some(random)) {
                }
            }
            world.timers.advance(std::chrono::seconds(3));
            checking.read();
        }
        CHECK(checking.unanswered() == 0);
        for (const auto& worker : workers)
            CHECK(worker->violations == 0);
        right += checking.right;
    }
    CHECK(right > 2000);  // the test asked what it is here to ask
}

// The `ray-dap` executable: reads the command line and runs one command.
#include <csignal>
#include <exception>
#include <functional>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "launcher/commands.hpp"

namespace launcher {
namespace {

/// Adds the options that several commands share; each has an environment variable of its name.
class CommandLine {
  public:
    CommandLine(CLI::App& app, Options& options) : m_app(app), m_options(options) {}

    CLI::App* command(const std::string& name, const std::string& description, int (*action)(const Options&)) {
        CLI::App* command = m_app.add_subcommand(name, description);
        command->callback([this, action] { m_run = action; });
        return command;
    }
    void address(CLI::App* command) {
        command
            ->add_option("--address", m_options.address,
                         "Ray dashboard URL (default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS if it is http(s), else "
                         "http://127.0.0.1:8265)")
            ->envname("RAY_DAP_ADDRESS");
    }
    void connect(CLI::App* command) {
        command->add_option("--connect", m_options.connect, "The serving ray-dap, HOST:PORT")
            ->envname("RAY_DAP_CONNECT")
            ->capture_default_str();
    }
    void token(CLI::App* command) {
        command->add_option("--token-file", m_options.token_file, "File with the bridge's token (or RAY_DAP_TOKEN)")
            ->envname("RAY_DAP_TOKEN_FILE");
    }
    void json(CLI::App* command) {
        command->add_flag("--json", m_options.json, "Print one JSON document")->envname("RAY_DAP_JSON");
    }
    void group(CLI::App* command) {
        command
            ->add_flag("--group", m_options.group,
                       "Show what is equal once, most frequent first, with how many and which workers")
            ->envname("RAY_DAP_GROUP");
    }
    void pick(CLI::App* command) {
        command->add_option("target", m_options.targets,
                            "Worker id, task id, actor id (or a unique prefix of 8 characters or more), actor name, "
                            "pid@ip, pid, or a glob on the function name");
        command->add_flag("--all", m_options.all, "All paused workers");
        command->add_option("--wait", m_options.wait, "Seconds to wait for something to pause")
            ->envname("RAY_DAP_WAIT")
            ->check(CLI::NonNegativeNumber)
            ->capture_default_str();
        command
            ->add_flag("--in-process", m_options.in_process,
                       "Attach without a serving bridge; the workers resume when the command ends")
            ->envname("RAY_DAP_IN_PROCESS");
        address(command);
        connect(command);
        token(command);
    }
    int run() const { return m_run(m_options); }

  private:
    CLI::App& m_app;
    Options& m_options;
    std::function<int(const Options&)> m_run;
};

void set_up_log(const Options& options) {
    // The standard error stream carries the log; results own the standard output.
    auto logger = spdlog::stderr_color_mt("ray-dap");
    if (std::getenv("NO_COLOR") != nullptr)
        static_cast<spdlog::sinks::stderr_color_sink_mt*>(logger->sinks().front().get())
            ->set_color_mode(spdlog::color_mode::never);
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    logger->set_level(spdlog::level::from_str(options.log_level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"Debug Adapter Protocol server for Ray: attach any DAP client to paused tasks, actors and drivers.",
                 "ray-dap"};
    app.set_version_flag("--version", std::string("ray-dap " RAY_DAP_VERSION));
    app.require_subcommand(1);
    CommandLine line(app, options);

    CLI::App* serve = line.command("serve", "Serve DAP clients", run_serve);
    serve->add_option("--listen", options.listen, "Where DAP clients connect, HOST:PORT")
        ->envname("RAY_DAP_LISTEN")
        ->capture_default_str();
    serve->add_option("--http", options.http, "Where /healthz and /api/targets are served, HOST:PORT; empty: nowhere")
        ->envname("RAY_DAP_HTTP")
        ->capture_default_str();
    serve->add_option("--log-level", options.log_level, "How much is logged")
        ->envname("RAY_DAP_LOG_LEVEL")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}))
        ->capture_default_str();
    line.address(serve);
    line.token(serve);

    CLI::App* stdio = line.command("stdio", "Relay a DAP client on stdin and stdout to the serving bridge", run_stdio);
    line.connect(stdio);
    line.address(stdio);

    CLI::App* targets = line.command("targets", "List what is attachable now", run_targets);
    targets->add_flag("--watch", options.watch, "Go on, printing every change");
    targets->add_flag("--all", options.all, "Also workers that listen without being paused");
    line.json(targets);
    line.connect(targets);
    line.address(targets);
    line.token(targets);

    CLI::App* stack = line.command("stack", "Print stacks and locals of paused workers, which stay stopped", run_stack);
    line.group(stack);
    line.json(stack);
    line.pick(stack);

    CLI::App* eval = line.command("eval", "Evaluate an expression in paused workers, which stay stopped", run_eval);
    eval->add_option("expression", options.expression, "Python expression")->required();
    line.group(eval);
    line.json(eval);
    line.pick(eval);

    CLI::App* resume = line.command("continue", "Let paused workers run on", run_continue);
    line.pick(resume);

    CLI::App* health = line.command("health", "Exit with 0 if a bridge serves", run_health);
    line.connect(health);

    CLI::App* doctor = line.command("doctor", "Check the way from dashboard to worker", run_doctor);
    line.json(doctor);
    line.connect(doctor);
    line.address(doctor);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    set_up_log(options);
    return line.run();
}

}  // namespace
}  // namespace launcher

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return launcher::run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "ray-dap: unexpected: {}\n", error.what());
        return launcher::exit_failed;
    }
}

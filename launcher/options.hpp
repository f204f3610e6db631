// What the command line says, as plain values.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace launcher {

/// Exit statuses (the contract of the command line).
enum ExitStatus : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_unreachable = 3,
    exit_nothing_paused = 4,
};

struct Options {
    std::string address;  ///< of the dashboard; empty: from the environment
    std::string listen = "127.0.0.1:5679";
    std::string http = "127.0.0.1:5680";
    std::string connect = "127.0.0.1:5679";
    std::string token_file;
    std::string log_level = "info";
    bool json = false;
    bool all = false;
    bool group = false;
    bool watch = false;
    bool in_process = false;
    double wait = 0;  ///< seconds
    std::vector<std::string> targets;
    std::string expression;
};

}  // namespace launcher

#include "dap/error.hpp"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace dap {

namespace {

constexpr std::string_view ray_debugger_docs =
    "https://docs.ray.io/en/latest/ray-observability/ray-distributed-debugger.html";
constexpr std::string_view ray_auth_docs = "https://docs.ray.io/en/latest/ray-security/token-auth.html";

}  // namespace

const std::vector<ErrorInfo>& all_errors() {
    static const std::vector<ErrorInfo> rows = {
        {ErrorCode::not_dap, 1000, "not-dap", false, ""},
        {ErrorCode::invalid_message, 1001, "invalid-message", true, ""},
        {ErrorCode::invalid_request, 1002, "invalid-request", true, ""},
        {ErrorCode::invalid_arguments, 1003, "invalid-arguments", true, ""},
        {ErrorCode::forbidden_argument, 1004, "forbidden-argument", true, ""},
        {ErrorCode::unauthorized, 1005, "unauthorized", true, ""},
        {ErrorCode::no_such_target, 1010, "no-such-target", true, ""},
        {ErrorCode::ambiguous_target, 1011, "ambiguous-target", true, ""},
        {ErrorCode::nothing_paused, 1012, "nothing-paused", true, ray_debugger_docs},
        {ErrorCode::target_in_session, 1013, "target-in-session", true, ""},
        {ErrorCode::worker_unreachable, 1020, "worker-unreachable", true, ""},
        {ErrorCode::worker_busy, 1021, "worker-busy", true, ""},
        {ErrorCode::worker_refused, 1022, "worker-refused", true, ""},
        {ErrorCode::worker_lost, 1023, "worker-lost", false, ""},
        {ErrorCode::dashboard_unreachable, 1030, "dashboard-unreachable", true, ""},
        {ErrorCode::dashboard_unauthorized, 1031, "dashboard-unauthorized", true, ray_auth_docs},
        {ErrorCode::dashboard_invalid, 1032, "dashboard-invalid", true, ""},
        {ErrorCode::bridge_unreachable, 1040, "bridge-unreachable", true, ""},
        {ErrorCode::cancelled, 1050, "cancelled", false, ""},
        {ErrorCode::timed_out, 1051, "timed-out", true, ""},
        {ErrorCode::closed_by_peer, 1052, "closed-by-peer", false, ""},
    };
    return rows;
}

const ErrorInfo& error_info(ErrorCode code) {
    const auto& rows = all_errors();
    return *std::find_if(rows.begin(), rows.end(), [code](const ErrorInfo& row) { return row.code == code; });
}

nlohmann::json error_body(const Error& error) {
    const ErrorInfo& info = error_info(error.code);
    nlohmann::json message = {{"id", info.id}, {"format", error.message}, {"showUser", info.show_user}};
    if (!info.url.empty()) {
        message["url"] = info.url;
        message["urlLabel"] = "Help";
    }
    return {{"error", std::move(message)}};
}

void throw_exception_from_error(const Error& error, const boost::source_location& /*location*/) {
    throw std::logic_error(error.message);
}

}  // namespace dap

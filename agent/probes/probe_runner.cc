#include "agent/probes/probe_runner.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/probes/grpc_probe.h"
#include "agent/probes/http_get.h"
#include "agent/probes/tcp_connect.h"
#include "agent/runtime/pod_runtime.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

using Result = ProbeOutcome::Result;

// What of a probe's output goes into an event.
constexpr size_t kMaxOutput = 10 << 10;

class RealProbeRunner : public ProbeRunner {
 public:
  explicit RealProbeRunner(PodRuntime* runtime) : runtime_(*runtime) {}

  ProbeOutcome Run(const ProbeTarget& target, const Probe& probe) override {
    const absl::Duration timeout = absl::Seconds(probe.timeout_seconds);
    ProbeOutcome outcome =
        std::visit([&](const auto& action) { return Ask(target, action, timeout); }, probe.action);
    // A container may write any bytes; an event is text.
    outcome.output = ToUtf8(absl::string_view(outcome.output).substr(0, kMaxOutput));
    return outcome;
  }

 private:
  ProbeOutcome Ask(const ProbeTarget& target, const ExecAction& action, absl::Duration timeout) {
    auto result = runtime_.ExecSync(target.container_id, action.command, timeout);
    if (absl::IsDeadlineExceeded(result.status())) {
      return {Result::kFailure,
              absl::StrCat("command timed out: \"", absl::StrJoin(action.command, " "),
                           "\" timed out after ", absl::FormatDuration(timeout))};
    }
    if (!result.ok()) return {Result::kError, std::string(result.status().message())};
    return {result->exit_code == 0 ? Result::kSuccess : Result::kFailure,
            std::move(result->output)};
  }

  ProbeOutcome Ask(const ProbeTarget& target, const HttpGetAction& action, absl::Duration timeout) {
    const auto port = ResolvePort(action.port, target.ports, target.container_name);
    if (!port.ok()) return {Result::kError, std::string(port.status().message())};
    HttpGetRequest request;
    request.url = MakeUrl(action.scheme, action.host.empty() ? target.address : action.host, *port,
                          action.path);
    request.headers = action.headers;
    request.timeout = timeout;
    const auto reply = HttpGet(request);
    if (absl::IsInvalidArgument(reply.status())) {
      return {Result::kError, std::string(reply.status().message())};
    }
    if (!reply.ok()) {
      return {Result::kFailure,
              absl::StrCat("Get \"", request.url, "\": ", reply.status().message())};
    }
    if (reply->redirects_elsewhere) {
      return {Result::kWarning,
              absl::StrCat("Probe terminated redirects, Response body: ", reply->body)};
    }
    if (reply->status >= 200 && reply->status < 400) return {Result::kSuccess, reply->body};
    return {Result::kFailure, absl::StrCat("HTTP probe failed with statuscode: ", reply->status)};
  }

  ProbeOutcome Ask(const ProbeTarget& target, const TcpSocketAction& action,
                   absl::Duration timeout) {
    const auto port = ResolvePort(action.port, target.ports, target.container_name);
    if (!port.ok()) return {Result::kError, std::string(port.status().message())};
    const absl::Status status =
        TcpConnect(action.host.empty() ? target.address : action.host, *port, timeout);
    if (status.ok()) return {Result::kSuccess, ""};
    return {Result::kFailure, std::string(status.message())};
  }

  ProbeOutcome Ask(const ProbeTarget& target, const GrpcAction& action, absl::Duration timeout) {
    return GrpcHealth(target.address, action.port, action.service, timeout);
  }

  PodRuntime& runtime_;
};

}  // namespace

absl::StatusOr<int> ResolvePort(const PortRef& port, const std::vector<ContainerPort>& ports,
                                const std::string& container) {
  if (port.name.empty()) return port.number;
  for (const ContainerPort& one : ports) {
    if (one.name == port.name) return one.container_port;
  }
  return absl::NotFoundError(
      absl::StrCat("couldn't find port \"", port.name, "\" in container \"", container, "\""));
}

std::unique_ptr<ProbeRunner> MakeProbeRunner(PodRuntime* runtime) {
  return std::make_unique<RealProbeRunner>(runtime);
}

}  // namespace crisp::agent

#include "agent/pods/lifecycle_hooks.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/probes/http_get.h"
#include "agent/probes/tcp_connect.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

struct Hook {
  PodRuntime& runtime;
  const ProbeTarget& target;
  absl::Duration timeout;
  const absl::Notification& stop;

  absl::Status operator()(const ExecAction& action) const {
    CRISP_ASSIGN_OR_RETURN(const ExecResult result,
                           runtime.ExecSync(target.container_id, action.command, timeout));
    if (result.exit_code == 0) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat("command '", absl::StrJoin(action.command, " "),
                                           "' exited with ", result.exit_code, ": ",
                                           result.output.substr(0, 1024)));
  }

  absl::Status operator()(const HttpGetAction& action) const {
    CRISP_ASSIGN_OR_RETURN(const int port,
                           ResolvePort(action.port, target.ports, target.container_name));
    HttpGetRequest request;
    request.url = MakeUrl(action.scheme, action.host.empty() ? target.address : action.host, port,
                          action.path);
    request.headers = action.headers;
    request.timeout = timeout;
    return Annotate(HttpGet(request).status(), "Get \"", request.url, "\"");
  }

  absl::Status operator()(const TcpSocketAction& action) const {
    CRISP_ASSIGN_OR_RETURN(const int port,
                           ResolvePort(action.port, target.ports, target.container_name));
    return TcpConnect(action.host.empty() ? target.address : action.host, port, timeout);
  }

  absl::Status operator()(const SleepAction& action) const {
    const absl::Duration wanted = absl::Seconds(action.seconds);
    if (stop.WaitForNotificationWithTimeout(std::min(wanted, timeout))) {
      return absl::CancelledError("the agent stops");
    }
    if (wanted <= timeout) return absl::OkStatus();
    return absl::DeadlineExceededError("the grace period was over before the sleep");
  }
};

}  // namespace

absl::Status RunHook(PodRuntime& runtime, const LifecycleHandler& hook, const ProbeTarget& target,
                     absl::Duration timeout, const absl::Notification& stop) {
  return std::visit(Hook{runtime, target, timeout, stop}, hook.action);
}

}  // namespace crisp::agent

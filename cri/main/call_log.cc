#include "cri/main/call_log.h"

#include "absl/strings/string_view.h"
#include "base/log.h"

namespace crisp::cri {
namespace {

// Calls that take longer than this are worth a line even when they succeed.
constexpr absl::Duration kSlow = absl::Seconds(2);

absl::string_view RpcOf(const grpcserver::Outcome& outcome) {
  return outcome.path.substr(outcome.path.rfind('/') + 1);
}

}  // namespace

void LogCall(const grpcserver::Outcome& outcome) {
  if (outcome.status.ok() && outcome.took <= kSlow) return;
  const absl::string_view rpc = RpcOf(outcome);
  if (!outcome.status.ok() && outcome.abandoned) {
    LogDebug("the caller is gone",
             {{"rpc", rpc}, {"took", outcome.took}, {"error", outcome.status}});
  } else if (!outcome.status.ok()) {
    LogWarn("call failed", {{"rpc", rpc}, {"took", outcome.took}, {"error", outcome.status}});
  } else {
    LogInfo("call was slow", {{"rpc", rpc}, {"took", outcome.took}});
  }
}

void LogEveryCall(const grpcserver::Outcome& outcome) {
  LogDebug("call", {{"rpc", RpcOf(outcome)}, {"took", outcome.took}});
  LogCall(outcome);
}

}  // namespace crisp::cri

// Waiting for objects, with what happens meanwhile shown on a terminal.
#ifndef CRISP_AGENT_COMMANDS_READINESS_H_
#define CRISP_AGENT_COMMANDS_READINESS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/client/agent_client.h"
#include "agent/commands/session.h"

namespace crisp::cli {

// Calls `done` with the object as it is, then at each of its changes, until it is true.
// A deleted object is null. DeadlineExceeded after `timeout`.
absl::Status WatchUntil(Session& session, const ObjectRef& ref, absl::Duration timeout,
                        const std::function<absl::StatusOr<bool>(const Json& object)>& done);

// True once a pod is Ready or has ended well, a workload has rolled out, a Job is
// complete; other kinds at once. FailedPrecondition for what can not become ready: a
// pod or Job that failed.
absl::StatusOr<bool> IsReady(const Json& object);

// How far a Deployment or DaemonSet is, in the words of `kubectl rollout status`.
struct RolloutState {
  std::string text;
  bool done = false;
};
absl::StatusOr<RolloutState> RolloutOf(const Json& object);

// A line on a terminal's stderr that says what the pods of a namespace are at: pulling
// an image, and for how long. Nothing on what is no terminal.
//
// Threads: draws from one of its own until it is destroyed; the session's stderr is
//          not written by others meanwhile.
class PodProgress {
 public:
  PodProgress(Session& session, const std::string& ns);
  ~PodProgress();
  PodProgress(const PodProgress&) = delete;
  PodProgress& operator=(const PodProgress&) = delete;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_READINESS_H_

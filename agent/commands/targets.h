// What a command line's words mean: kinds, names, pods of workloads.
#ifndef CRISP_AGENT_COMMANDS_TARGETS_H_
#define CRISP_AGENT_COMMANDS_TARGETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/client/agent_client.h"
#include "agent/commands/session.h"
#include "agent/output/kinds.h"

namespace crisp::cli {

// "pods", "pods,deploy", "pod web db", "pod/web deploy/x", "all".
struct Target {
  const KindInfo* kind;
  std::string name;  // Empty: all objects of the kind.
};

absl::StatusOr<std::vector<Target>> ParseTargets(const std::vector<std::string>& words);

// Exactly one object: "pod web", "pod/web"; `otherwise` is the kind of a name alone.
absl::StatusOr<Target> ParseTarget(const std::vector<std::string>& words,
                                   const KindInfo* otherwise = nullptr);

ObjectRef RefOf(const Target& target, const std::string& ns);
// Of an object that the agent gave.
ObjectRef RefOf(const Json& object);

// "pod/web": as commands say it.
std::string ShownName(const Json& object);

// The name of a pod that "web", "pod/web" or "deployment/web" means; of a workload's
// pods the one that is ready, else one that runs, else the first.
absl::StatusOr<std::string> PickPod(Session& session, const std::string& ns,
                                    const std::string& word);

// The containers of a pod and the one that is meant, with kubectl's note on stderr
// when others could have been meant.
absl::StatusOr<ResolvedPod> PickContainer(Session& session, const std::string& ns,
                                          const std::string& pod, const std::string& container);

// "30s", "5m", "1h30m", "0"; InvalidArgument names `flag`.
absl::StatusOr<absl::Duration> ParseTimeout(const std::string& flag, const std::string& text);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_TARGETS_H_

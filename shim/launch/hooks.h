// OCI hooks: programs that run at points of a container's life, with its state on
// stdin.
//
// Threads: single-threaded; blocks until they have run.
// Errors:  the hook's field, its exit code and the end of its stderr. DeadlineExceeded
//          when it outlives its timeout; it is killed with its process group.
#ifndef CRISP_SHIM_LAUNCH_HOOKS_H_
#define CRISP_SHIM_LAUNCH_HOOKS_H_

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// The OCI state. `status` is "creating", "created", "running" or "stopped".
struct HookState {
  std::string version, id, bundle;
  nlohmann::json annotations;
  std::string ToJson(const char* status, pid_t pid) const;
};

// In order; the first that fails ends it. `name` is the field, "hooks.prestart".
absl::Status RunHooks(const char* name, const std::vector<Hook>& hooks, const std::string& state);

// For ContainerFacts: hooks.poststart and hooks.poststop with what the state needs; ""
// if there are none.
std::string HooksToKeep(const Hooks& hooks, const HookState& state);

struct KeptHooks {
  Hooks hooks;
  HookState state;
};
absl::StatusOr<KeptHooks> ReadKeptHooks(const std::string& json);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_HOOKS_H_

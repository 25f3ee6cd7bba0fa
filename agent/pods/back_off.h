// When a container that ended may start again: at once the first time, then after a
// delay that doubles from `base` to `max`, and at once again after it ran for `reset`.
//
// The delay before the next start travels with each container (an annotation), so a
// new agent goes on where the last one was. Pure; threads: any.
#ifndef CRISP_AGENT_PODS_BACK_OFF_H_
#define CRISP_AGENT_PODS_BACK_OFF_H_

#include <string>

#include "absl/time/time.h"
#include "agent/runtime/pod_state.h"

namespace crisp::agent {

struct BackOffOptions {
  absl::Duration base = absl::Seconds(10);
  absl::Duration max = absl::Minutes(5);
  absl::Duration reset = absl::Minutes(10);
};

struct NextStart {
  absl::Time at = absl::InfinitePast();
  absl::Duration delay = absl::ZeroDuration();          // From the end until `at`.
  absl::Duration next_back_off = absl::ZeroDuration();  // For the container that starts then.
};

// `ended`: the newest container of its name, null if there was none.
NextStart AfterEnd(const ContainerState* ended, const BackOffOptions& options);

// The delay that follows `delay`.
absl::Duration Doubled(absl::Duration delay, const BackOffOptions& options);

// "10s", "1m20s", "5m0s", as Kubernetes' messages write it.
std::string GoDuration(absl::Duration duration);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_BACK_OFF_H_

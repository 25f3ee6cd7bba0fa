// What a pod's row says of it: the columns READY, STATUS and RESTARTS, derived from
// its status as kubectl derives them.
#ifndef CRISP_AGENT_OUTPUT_POD_STATUS_H_
#define CRISP_AGENT_OUTPUT_POD_STATUS_H_

#include <string>

#include "absl/time/time.h"
#include "agent/output/fields.h"

namespace crisp::cli {

struct PodStatusSummary {
  int ready = 0, total = 0;
  std::string status;  // Running, Init:0/1, CrashLoopBackOff, Terminating, ...
  int64_t restarts = 0;
  absl::Time last_restart = absl::InfinitePast();
};

PodStatusSummary SummarisePod(const Json& pod);

// "2", or "2 (5m ago)" where it is known when.
std::string RestartsText(const PodStatusSummary& summary, absl::Time now);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_POD_STATUS_H_

// cgroup numbers as the messages that containerd's clients decode.
#ifndef CRISP_SHIM_SERVICE_METRICS_H_
#define CRISP_SHIM_SERVICE_METRICS_H_

#include "api/shim/wire/ttrpc.pb.h"
#include "cgroup/stats.h"

namespace crisp::shim {

// io.containerd.cgroups.v1.Metrics or io.containerd.cgroups.v2.Metrics, after whose
// numbers they are.
wire::Any MetricsOf(const cgroup::Stats& stats);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_SERVICE_METRICS_H_

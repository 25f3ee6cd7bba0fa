// Resource limits: CRI's LinuxContainerResources to OCI linux.resources and back.
//
// A zero field means "not said": the kernel's default at creation, the present
// value at an update. Validation is whole before anything is built, so that an
// update is applied entirely or not at all.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the field below the prefix given.
#ifndef CRISP_CRI_SPEC_RESOURCES_H_
#define CRISP_CRI_SPEC_RESOURCES_H_

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/host_facts.h"

namespace crisp::cri {

// Below this a runtime's own set-up does not fit into the cgroup.
inline constexpr int64_t kMinMemoryBytes = 6 << 20;

absl::Status ValidateResources(absl::string_view field,
                               const runtime::v1::LinuxContainerResources& resources,
                               const HostFacts& host);

// OCI linux.resources without devices. Validates first.
absl::StatusOr<nlohmann::json> BuildResources(const runtime::v1::LinuxContainerResources& resources,
                                              const HostFacts& host);

// `current` with the fields that `update` sets, validated as a whole.
absl::StatusOr<runtime::v1::LinuxContainerResources> MergeResources(
    const runtime::v1::LinuxContainerResources& current,
    const runtime::v1::LinuxContainerResources& update, const HostFacts& host);

// What a pod is held to: its containers' resources and what the pod itself needs on top. A
// limit that `resources` does not set stays unset, whatever the overhead.
runtime::v1::LinuxContainerResources WithOverhead(
    const runtime::v1::LinuxContainerResources& resources,
    const runtime::v1::LinuxContainerResources& overhead);

// `resources` as the kernel will hold them: shares within their bounds, memory in whole
// pages. What CRI reports.
runtime::v1::LinuxContainerResources HeldResources(
    const runtime::v1::LinuxContainerResources& resources);

// OCI linux.resources as CRI reports them in a container's status. What OCI does
// not keep there (oom_score_adj) is left at zero.
runtime::v1::LinuxContainerResources ResourcesFromOci(const nlohmann::json& resources);

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_RESOURCES_H_

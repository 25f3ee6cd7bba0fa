// A cgroup's limits around an update: as they were, to put them back, and as they are now,
// to report them.
//
// Ownership: a value.
// Threads:   a value.
// Errors:    errno of the cgroup's files; InvalidArgument naming the OCI field. A cgroup
//            that is not there (of a container in a virtual machine) is no error: nothing
//            is put back, and nothing is known better than what was asked for.
#ifndef CRISP_CRI_PODS_KERNEL_LIMITS_H_
#define CRISP_CRI_PODS_KERNEL_LIMITS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "api/cri/v1/api.pb.h"
#include "cgroup/hierarchies.h"
#include "cgroup/resources.h"

namespace crisp::cri {

class KernelLimits {
 public:
  // `path` is from the root of the hierarchies, `wanted` OCI linux.resources.
  static absl::StatusOr<KernelLimits> Read(const std::string& path, const nlohmann::json& wanted);

  // Whether there is such a cgroup.
  bool there() const { return there_; }

  // Writes what is wanted: all of it or none. There must be a cgroup.
  absl::Status Write() const;

  absl::Status PutBack() const;

  // What CRI reports: `wanted`, with the kernel's word for what it was asked.
  runtime::v1::LinuxContainerResources Actual(runtime::v1::LinuxContainerResources wanted) const;

 private:
  cgroup::Hierarchies hosts_;
  std::string path_;
  cgroup::Resources wanted_;
  cgroup::Resources before_;
  bool there_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_KERNEL_LIMITS_H_

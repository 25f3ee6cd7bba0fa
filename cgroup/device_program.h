// A device policy as a BPF program of type CGROUP_DEVICE, cgroup v2's only interface.
//
// Ownership: the kernel keeps an attached program as long as the cgroup.
// Threads:   free functions.
// Errors:    errno kept.
// Crash:     attaching and replacing are one step of the kernel each.
#ifndef CRISP_CGROUP_DEVICE_PROGRAM_H_
#define CRISP_CGROUP_DEVICE_PROGRAM_H_

#include <linux/bpf.h>

#include <vector>

#include "absl/status/status.h"
#include "cgroup/device_policy.h"

namespace crisp::cgroup {

// The program's instructions: 1 lets an access pass, 0 refuses it.
std::vector<bpf_insn> DeviceProgram(const DevicePolicy& policy);

// Loads the program and attaches it to the cgroup that `directory`, a descriptor in the
// cgroup v2 tree, is of. Takes the place of the one that an earlier call attached; those
// of others stay, and all must agree for an access to pass.
absl::Status AttachDevicePolicy(int directory, const DevicePolicy& policy);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_DEVICE_PROGRAM_H_

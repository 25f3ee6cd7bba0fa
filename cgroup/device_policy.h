// Which devices a cgroup may use: OCI's rules, which apply in order, worked out to what
// holds in the end — a default, and the exceptions from it.
//
// Threads: values and pure functions.
// Errors:  InvalidArgument for a rule that takes a part out of a wider one: neither
//          kernel interface is made to express that.
#ifndef CRISP_CGROUP_DEVICE_POLICY_H_
#define CRISP_CGROUP_DEVICE_POLICY_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cgroup/resources.h"

namespace crisp::cgroup {

struct DevicePolicy {
  static constexpr int64_t kAll = -1;
  using Device = std::tuple<char, int64_t, int64_t>;  // 'b' or 'c', major, minor.

  bool allow_others = true;
  // The access ("rwm", in this order) that is allowed, or denied if the others are allowed.
  std::map<Device, std::string> exceptions;

  friend bool operator==(const DevicePolicy&, const DevicePolicy&) = default;
};

// From a cgroup that allows everything, the kernel's default.
absl::StatusOr<DevicePolicy> PolicyOf(const std::vector<DeviceRule>& rules);

// devices.list of cgroup v1, which keeps silent about what is denied if all else is
// allowed.
absl::StatusOr<DevicePolicy> ParseDevicesList(absl::string_view text);

// One write to devices.allow or devices.deny.
struct DeviceWrite {
  bool allow = false;
  std::string line;
  friend bool operator==(const DeviceWrite&, const DeviceWrite&) = default;
};

// What leads from `now` to `target`. A running process never loses a device that it has
// before and after.
std::vector<DeviceWrite> WritesBetween(const DevicePolicy& now, const DevicePolicy& target);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_DEVICE_POLICY_H_

// OCI linux.resources as values.
//
// A limit, quota, period, share or weight of zero is read as runc reads it: not said.
//
// Threads: values and free functions.
// Errors:  InvalidArgument names the field; an unknown field is an error, never
//          silence.
#ifndef CRISP_CGROUP_RESOURCES_H_
#define CRISP_CGROUP_RESOURCES_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp::cgroup {

// One linux.resources.devices entry; rules apply in order.
struct DeviceRule {
  bool allow = false;
  char type = 'a';               // 'a', 'b' or 'c'.
  std::optional<int64_t> major;  // Absent: all.
  std::optional<int64_t> minor;
  std::string access;  // Of "rwm".
};

// The major and minor number, and a rate (bytes or operations a second) or a weight.
struct BlockIoDevice {
  int64_t major = 0;
  int64_t minor = 0;
  uint64_t rate = 0;
};

struct RdmaLimit {
  std::optional<uint32_t> handles, objects;
};

// An absent value is left as it is.
struct Resources {
  std::vector<DeviceRule> devices;

  std::optional<int64_t> memory_limit;  // Bytes; -1: unlimited.
  std::optional<int64_t> memory_reservation;
  std::optional<int64_t> memory_swap;  // Memory and swap, as v1 counts.
  std::optional<uint64_t> memory_swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> check_before_update;

  std::optional<uint64_t> cpu_shares;  // v1's scale; converted to a weight on v2.
  std::optional<int64_t> cpu_quota;    // Microseconds; -1: none.
  std::optional<uint64_t> cpu_period;
  std::optional<uint64_t> cpu_burst;
  std::optional<int64_t> cpu_idle;
  std::optional<int64_t> cpu_realtime_runtime;
  std::optional<uint64_t> cpu_realtime_period;
  std::string cpuset_cpus;
  std::string cpuset_mems;

  std::optional<int64_t> pids_limit;

  std::optional<uint16_t> blkio_weight;
  std::vector<BlockIoDevice> read_bps, write_bps, read_iops, write_iops, weight_devices;

  std::map<std::string, uint64_t> hugepage_limits;  // "2MB" -> bytes.
  std::map<std::string, std::string> unified;       // Raw cgroup v2 files.

  std::optional<uint32_t> network_class_id;
  std::map<std::string, uint32_t> network_priorities;
  std::map<std::string, RdmaLimit> rdma;
};

// A container's rules with those that every container has (OCI runtime spec, "Default
// Devices", and what runc adds to them): where others are denied, its standard devices and
// terminals, and making nodes, which gives no use of them.
std::vector<DeviceRule> WithDefaultDevices(std::vector<DeviceRule> rules);

// `json` is the object itself; `field` its name in messages ("linux.resources").
absl::StatusOr<Resources> ParseResources(const nlohmann::json& json, const std::string& field);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_RESOURCES_H_

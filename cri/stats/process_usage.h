// What the processes of a container hold, from /proc.
//
// Threads: a free function. Processes that end meanwhile count for nothing.
#ifndef CRISP_CRI_STATS_PROCESS_USAGE_H_
#define CRISP_CRI_STATS_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace crisp::cri {

struct ProcessUsage {
  uint64_t descriptors = 0;
  uint64_t sockets = 0;
  // Soft limit of the first process; UINT64_MAX: unlimited.
  std::optional<uint64_t> max_open_files;
};

ProcessUsage ReadProcessUsage(const std::vector<pid_t>& pids);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_PROCESS_USAGE_H_

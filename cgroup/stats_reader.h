// Reads cgroup/stats.h from the files of a cgroup.
//
// Threads: free functions.
// Errors:  NotFound if the cgroup is gone. What this kernel, or this host's choice of
//          controllers, does not count stays at its default.
#ifndef CRISP_CGROUP_STATS_READER_H_
#define CRISP_CGROUP_STATS_READER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "cgroup/hierarchies.h"
#include "cgroup/stats.h"

namespace crisp::cgroup {

Stats ReadStatsV1(const Hierarchies& hosts, const std::string& path);
Stats ReadStatsV2(const std::string& directory);

// Pressure is the v2 tree's, also beside v1 controllers.
void ReadPressure(const std::string& directory, Stats* stats);
std::optional<Pressure> ParsePressure(absl::string_view text);

// "hugetlb.2MB.max" -> "2MB" for each page size with a file "hugetlb.<size><suffix>".
std::vector<std::string> HugepageSizes(const std::string& directory, absl::string_view suffix);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_STATS_READER_H_

// How many nanoseconds of CPU a second something uses, from two samples of its counter.
//
// Ownership: keeps the last samples of each id until Keep drops them.
// Threads:   safe.
#ifndef CRISP_CRI_STATS_CPU_RATES_H_
#define CRISP_CRI_STATS_CPU_RATES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace crisp::cri {

class CpuRates {
 public:
  // Takes a sample: `usage_ns` in all, at `now_ns`. The rate since an earlier sample
  // that is at least a tenth of a second old, so that clients that ask at the same time
  // do not spoil it for each other; none at the first sample.
  std::optional<uint64_t> Sample(const std::string& id, int64_t now_ns, uint64_t usage_ns);

  // Drops what is not in `ids`.
  void Keep(const std::set<std::string>& ids);

 private:
  struct Samples {
    int64_t at_ns = 0;
    uint64_t usage_ns = 0;
    std::optional<uint64_t> rate;  // Up to that sample.
  };

  absl::Mutex mu_;
  std::map<std::string, Samples> samples_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_CPU_RATES_H_

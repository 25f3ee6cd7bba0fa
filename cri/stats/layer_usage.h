// What containers have written to their root filesystems. Measuring walks files, so a
// figure is kept, and measured anew in the background once it is old.
//
// Ownership: borrows the clock and the background threads, which end first.
// Threads:   safe. Only the first figure of a container is waited for.
// Errors:    the measurement's.
#ifndef CRISP_CRI_STATS_LAYER_USAGE_H_
#define CRISP_CRI_STATS_LAYER_USAGE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/background.h"
#include "base/clock.h"

namespace crisp::cri {

struct LayerUsage {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
  std::string mountpoint;  // A directory on the filesystem that holds it.
  int64_t at_ns = 0;
};

// What the files below `directory` take on disk, hard links once. What a container writes
// there is hostile: no link is followed, no other filesystem entered, and what is deeper
// than 128 directories is not counted.
absl::StatusOr<LayerUsage> MeasureTree(const std::string& directory);

class LayerUsages {
 public:
  // `id` is a container's; `snapshot_key` its record's, which may be empty.
  using Measure = std::function<absl::StatusOr<LayerUsage>(const std::string& id,
                                                           const std::string& snapshot_key)>;

  // A figure older than this is measured anew when it is asked for.
  static constexpr absl::Duration kMaxAge = absl::Seconds(10);

  LayerUsages(Measure measure, const Clock* clock, Background* background)
      : measure_(std::move(measure)), clock_(clock), background_(background) {}

  absl::StatusOr<LayerUsage> Of(const std::string& id, const std::string& snapshot_key);

  // Drops what is not in `ids`.
  void Keep(const std::set<std::string>& ids);

 private:
  struct Kept {
    LayerUsage usage;
    bool refreshing = false;
  };
  absl::StatusOr<LayerUsage> MeasureNow(const std::string& id, const std::string& snapshot_key);

  const Measure measure_;
  const Clock* const clock_;
  Background* const background_;
  absl::Mutex mu_;
  std::map<std::string, Kept> kept_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STATS_LAYER_USAGE_H_

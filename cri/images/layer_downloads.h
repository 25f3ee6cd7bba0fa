// Several jobs at a time, in order of their number, and a wait for each result.
//
// Ownership: owns its threads; the destructor tells the jobs to stop, and waits.
// Threads:   Wait from the owner's thread; jobs run on others.
// Errors:    after a first failure no further job starts; their Wait returns it.
#ifndef CRISP_CRI_IMAGES_LAYER_DOWNLOADS_H_
#define CRISP_CRI_IMAGES_LAYER_DOWNLOADS_H_

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"

namespace crisp::cri {

class LayerDownloads {
 public:
  // Runs `job(i)` for each i from `first` to `count`. Jobs look at `stop` and end
  // early once it is set; it outlives this.
  LayerDownloads(size_t first, size_t count, int parallel, std::function<absl::Status(size_t)> job,
                 std::atomic<bool>* stop);
  ~LayerDownloads();

  absl::Status Wait(size_t i);

 private:
  void Work();

  const size_t first_;
  const std::function<absl::Status(size_t)> job_;
  std::atomic<bool>* const stop_;

  absl::Mutex mu_;
  absl::CondVar changed_;
  size_t next_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> done_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_LAYER_DOWNLOADS_H_

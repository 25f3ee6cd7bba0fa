// A pull's line in the log, every few seconds and at the end.
//
// Ownership: owns a thread; the destructor ends it.
// Threads:   the counters from any thread.
#ifndef CRISP_CRI_IMAGES_PULL_PROGRESS_H_
#define CRISP_CRI_IMAGES_PULL_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp::cri {

class PullProgress {
 public:
  explicit PullProgress(std::string image);
  ~PullProgress();

  std::atomic<int64_t> bytes{0};        // Downloaded so far.
  std::atomic<int64_t> total_bytes{0};  // To download; 0 until known.
  std::atomic<int> layers{0}, layers_unpacked{0};

  // The last line. Without it the pull is said to have ended early.
  void Done();

 private:
  void Run();
  void Log(const char* what) const;

  const std::string image_;
  const absl::Time start_;
  absl::Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_PULL_PROGRESS_H_

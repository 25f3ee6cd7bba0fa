#include "cri/images/layer_downloads.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace crisp::cri {

LayerDownloads::LayerDownloads(size_t first, size_t count, int parallel,
                               std::function<absl::Status(size_t)> job, std::atomic<bool>* stop)
    : first_(first), job_(std::move(job)), stop_(stop), next_(first), done_(count) {
  const size_t jobs = count > first ? count - first : 0;
  const size_t threads = std::min<size_t>(jobs, static_cast<size_t>(std::max(parallel, 1)));
  try {
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error& error) {
    // Those that there are do it all.
    absl::MutexLock lock(&mu_);
    if (threads_.empty()) {
      failure_ = absl::ResourceExhaustedError(absl::StrCat("start a thread: ", error.what()));
    }
  }
}

LayerDownloads::~LayerDownloads() {
  *stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

absl::Status LayerDownloads::Wait(size_t i) {
  absl::MutexLock lock(&mu_);
  while (i >= first_ && !done_[i] && failure_.ok()) changed_.Wait(&mu_);
  return i < first_ || done_[i] ? absl::OkStatus() : failure_;
}

void LayerDownloads::Work() {
  while (true) {
    size_t i;
    {
      absl::MutexLock lock(&mu_);
      if (next_ == done_.size() || !failure_.ok() || *stop_) return;
      i = next_++;
    }
    absl::Status status = job_(i);
    absl::MutexLock lock(&mu_);
    if (status.ok()) {
      done_[i] = true;
    } else if (failure_.ok()) {
      // The first failure is the cause; those that the stop brings about are not.
      failure_ = std::move(status);
      *stop_ = true;
    }
    changed_.SignalAll();
  }
}

}  // namespace crisp::cri

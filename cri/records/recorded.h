// A record in memory and on disk: the disk is written first.
//
// Ownership: owns the value; the file outlives it until Erase.
// Threads:   safe. Readers never wait for the disk: writers take turns on one
//            mutex, and the value itself has another.
// Errors:    Update returns the write's errno and leaves both copies as they were.
// Crash:     the file holds the value before or after an Update, never a mix.
#ifndef CRISP_CRI_RECORDS_RECORDED_H_
#define CRISP_CRI_RECORDS_RECORDED_H_

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/sys.h"
#include "cri/records/record_file.h"

namespace crisp::cri {

template <typename Record>
class Recorded {
 public:
  Recorded(std::string path, std::string boot_id, Record value)
      : path_(std::move(path)), boot_id_(std::move(boot_id)), value_(std::move(value)) {}

  Record Get() const {
    absl::MutexLock lock(&mu_);
    return value_;
  }

  // What `read` makes of the value, without a copy of the whole.
  template <typename F>
  auto Read(F read) const {
    absl::MutexLock lock(&mu_);
    return read(const_cast<const Record&>(value_));
  }

  // Grows with every change of the value.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // From here on `*changes` grows with every change too: who finds it as it was has
  // missed no change that was done by then. Set once, before others know the record.
  void CountChangesIn(std::shared_ptr<std::atomic<uint64_t>> changes) {
    changes_ = std::move(changes);
  }

  absl::Status Update(const std::function<void(Record&)>& change) {
    absl::MutexLock writer(&write_mu_);
    Record next = Get();
    change(next);
    if (absl::Status written = WriteRecord(path_, boot_id_, next); !written.ok()) return written;
    absl::MutexLock lock(&mu_);
    value_ = std::move(next);
    CountChange();
    return absl::OkStatus();
  }

  // For facts that the disk may miss: an exit that was seen while it is full.
  void UpdateMemoryOnly(const std::function<void(Record&)>& change) {
    absl::MutexLock writer(&write_mu_);
    absl::MutexLock lock(&mu_);
    change(value_);
    CountChange();
  }

  // Waits until `done` holds for the value; false when `timeout` passed first.
  bool Await(const std::function<bool(const Record&)>& done, absl::Duration timeout) const {
    absl::MutexLock lock(&mu_);
    const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return done(value_); };
    return mu_.AwaitWithTimeout(absl::Condition(&holds), timeout);
  }

  absl::Status Erase() {
    absl::MutexLock writer(&write_mu_);
    if (::unlink(path_.c_str()) == -1 && errno != ENOENT) {
      return ErrnoStatus(errno, "remove record " + path_);
    }
    return absl::OkStatus();
  }

 private:
  void CountChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    version_.fetch_add(1, std::memory_order_release);
    if (changes_ != nullptr) changes_->fetch_add(1, std::memory_order_release);
  }

  const std::string path_;
  const std::string boot_id_;
  absl::Mutex write_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  Record value_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> version_{0};
  std::shared_ptr<std::atomic<uint64_t>> changes_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECORDS_RECORDED_H_

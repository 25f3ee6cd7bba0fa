// One piece of work at a time on an object that several callers may want to change.
//
// For work that is slow: a mutex would be held over it. Who wants the object next
// waits, with a deadline, and can be told what it waited for.
//
// Ownership: a Claim must not outlive its Claimable.
// Threads:   safe. A claim may be released by another thread than took it.
// Errors:    DeadlineExceeded names the work that holds the claim.
#ifndef CRISP_BASE_CLAIM_H_
#define CRISP_BASE_CLAIM_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp {

class Claimable;

// Held for as long as it lives.
class Claim {
 public:
  explicit Claim(Claimable* object) : object_(object) {}
  Claim(Claim&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Claim& operator=(Claim&&) = delete;
  inline ~Claim();

 private:
  Claimable* object_;
};

class Claimable {
 public:
  // Takes the claim to `work` ("start", "remove"), waiting for it up to `timeout`.
  absl::StatusOr<Claim> ClaimFor(const std::string& work, absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return work_.empty(); };
    if (!mu_.AwaitWithTimeout(absl::Condition(&free), timeout)) {
      return absl::DeadlineExceededError(
          absl::StrCat("cannot ", work, ": a call to ", work_, " is under way"));
    }
    work_ = work;
    return Claim(this);
  }

 private:
  friend class Claim;
  void Release() {
    absl::MutexLock lock(&mu_);
    work_.clear();
  }

  absl::Mutex mu_;
  std::string work_ ABSL_GUARDED_BY(mu_);  // Empty: free.
};

Claim::~Claim() {
  if (object_ != nullptr) object_->Release();
}

}  // namespace crisp

#endif  // CRISP_BASE_CLAIM_H_

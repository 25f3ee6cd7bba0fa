// Calls for the same thing, run once.
//
// kubelet gives up on a slow call and asks again. The second call must not start
// the work anew, nor fail because the first still holds the name: it waits for
// the first and gets its result. A result that nobody was left to receive is
// parked for the next call with the same key and fingerprint.
//
// Threads: safe. The work runs on the first caller's thread, to its end, whether
//          or not that caller still listens.
// Errors:  those of the work; Aborted when a call with the same key but another
//          fingerprint is under way; Cancelled when a waiting caller goes away.
// Crash:   nothing is kept.
#ifndef CRISP_BASE_JOINED_CALLS_H_
#define CRISP_BASE_JOINED_CALLS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace crisp {

template <typename T>
class JoinedCalls {
 public:
  // How long a result waits for the retry of a caller that went away.
  static constexpr absl::Duration kParkedFor = absl::Minutes(2);

  explicit JoinedCalls(Clock* clock) : clock_(clock) {}

  // `abandoned` tells whether this caller has gone away; it is polled.
  absl::StatusOr<T> Run(const std::string& key, const std::string& fingerprint,
                        const std::function<bool()>& abandoned,
                        const std::function<absl::StatusOr<T>()>& work) {
    std::shared_ptr<Call> call;
    {
      absl::MutexLock lock(&mu_);
      DropExpired();
      if (auto found = calls_.find(key); found != calls_.end()) {
        call = found->second;
        if (call->fingerprint != fingerprint) {
          return absl::AbortedError(absl::StrCat("another request for ", key, " is under way"));
        }
        if (call->result.has_value()) {  // Parked.
          absl::StatusOr<T> result = *std::move(call->result);
          calls_.erase(found);
          return result;
        }
        ++call->listeners;
      } else {
        calls_[key] = std::make_shared<Call>(Call{fingerprint});
      }
    }
    return call != nullptr ? Join(*call, abandoned) : Lead(key, abandoned, work);
  }

  // What was parked under `key` no longer exists.
  void Forget(const std::string& key) {
    absl::MutexLock lock(&mu_);
    auto found = calls_.find(key);
    if (found != calls_.end() && found->second->result.has_value()) calls_.erase(found);
  }

 private:
  struct Call {
    std::string fingerprint;
    int listeners = 0;
    absl::optional<absl::StatusOr<T>> result = absl::nullopt;
    absl::Duration parked_until = absl::ZeroDuration();
  };

  absl::StatusOr<T> Lead(const std::string& key, const std::function<bool()>& abandoned,
                         const std::function<absl::StatusOr<T>()>& work) {
    absl::StatusOr<T> result = work();
    const bool undelivered = abandoned();
    absl::MutexLock lock(&mu_);
    const std::shared_ptr<Call> call = calls_[key];
    call->result = result;
    if (result.ok() && undelivered && call->listeners == 0) {
      call->parked_until = clock_->Steady() + kParkedFor;
    } else {
      calls_.erase(key);
    }
    finished_.SignalAll();
    return result;
  }

  absl::StatusOr<T> Join(Call& call, const std::function<bool()>& abandoned) {
    absl::MutexLock lock(&mu_);
    while (!call.result.has_value()) {
      finished_.WaitWithTimeout(&mu_, absl::Milliseconds(50));
      if (!call.result.has_value() && abandoned()) {
        --call.listeners;
        return absl::CancelledError("the caller went away while the first call was under way");
      }
    }
    return *call.result;
  }

  void DropExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (auto it = calls_.begin(); it != calls_.end();) {
      const bool expired =
          it->second->result.has_value() && it->second->parked_until <= clock_->Steady();
      it = expired ? calls_.erase(it) : std::next(it);
    }
  }

  Clock* const clock_;
  absl::Mutex mu_;
  absl::CondVar finished_;
  std::map<std::string, std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp

#endif  // CRISP_BASE_JOINED_CALLS_H_

// The last answer of Status, for callers that ask again at once. What it says costs a look
// at the host's network and may cost a run of its plugins, and changes seldom.
//
// Threads: safe.
#ifndef CRISP_CRI_RPC_KEPT_STATUS_H_
#define CRISP_CRI_RPC_KEPT_STATUS_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cri/records/kept_encoding.h"

namespace crisp::cri {

class KeptStatus {
 public:
  // How old an answer may be; kubelet asks every five seconds.
  static constexpr absl::Duration kMaxAge = absl::Seconds(1);

  explicit KeptStatus(const Clock* clock) : clock_(*clock) {}

  // Null if there is none that is young enough and was given when containerd was as it is
  // now, `connected` or not.
  Encoded Get(bool connected) const {
    absl::MutexLock lock(&mu_);
    if (connected != connected_ || clock_.Steady() - at_ > kMaxAge) return nullptr;
    return answer_;
  }

  void Keep(bool connected, Encoded answer) {
    absl::MutexLock lock(&mu_);
    answer_ = std::move(answer);
    connected_ = connected;
    at_ = clock_.Steady();
  }

 private:
  const Clock& clock_;
  mutable absl::Mutex mu_;
  Encoded answer_ ABSL_GUARDED_BY(mu_);
  bool connected_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration at_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_RPC_KEPT_STATUS_H_

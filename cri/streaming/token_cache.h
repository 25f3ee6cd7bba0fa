// Requests that wait for their clients, each behind a token that is good once.
//
// Threads: safe.
// Errors:  ResourceExhausted when too many wait.
// Crash:   gone with the process; the client calls again.
#ifndef CRISP_CRI_STREAMING_TOKEN_CACHE_H_
#define CRISP_CRI_STREAMING_TOKEN_CACHE_H_

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cri/streaming/stream_request.h"

namespace crisp::cri {

class TokenCache {
 public:
  static constexpr size_t kMaxTokens = 1000;
  static constexpr absl::Duration kTtl = absl::Seconds(60);

  explicit TokenCache(const Clock* clock) : clock_(clock) {}

  // 22 characters that are safe in a URL: 128 random bits.
  absl::StatusOr<std::string> Add(StreamRequest request);

  // Nullopt for a token that is unknown, used up, too old, or another kind's.
  std::optional<StreamRequest> Take(StreamKind kind, const std::string& token);

 private:
  void DropOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  absl::Mutex mu_;
  absl::flat_hash_map<std::string, StreamRequest> requests_ ABSL_GUARDED_BY(mu_);
  // In the order they were made, with the time they end. Used ones stay until then.
  std::deque<std::pair<absl::Duration, std::string>> ends_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_TOKEN_CACHE_H_

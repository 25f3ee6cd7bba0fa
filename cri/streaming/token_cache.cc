#include "cri/streaming/token_cache.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"

namespace crisp::cri {
namespace {

constexpr int kTokenBytes = 16;

}  // namespace

absl::StatusOr<std::string> TokenCache::Add(StreamRequest request) {
  const std::string token =
      absl::WebSafeBase64Escape(absl::HexStringToBytes(RandomHex(2 * kTokenBytes)));
  absl::MutexLock lock(&mu_);
  DropOld();
  if (requests_.size() >= kMaxTokens) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMaxTokens, " streaming requests wait for their clients already"));
  }
  requests_.emplace(token, std::move(request));
  ends_.emplace_back(clock_->Steady() + kTtl, token);
  return token;
}

std::optional<StreamRequest> TokenCache::Take(StreamKind kind, const std::string& token) {
  absl::MutexLock lock(&mu_);
  DropOld();
  auto it = requests_.find(token);
  if (it == requests_.end() || it->second.kind != kind) return std::nullopt;
  std::optional<StreamRequest> request = std::move(it->second);
  requests_.erase(it);
  return request;
}

void TokenCache::DropOld() {
  const absl::Duration now = clock_->Steady();
  while (!ends_.empty() && ends_.front().first <= now) {
    requests_.erase(ends_.front().second);
    ends_.pop_front();
  }
}

}  // namespace crisp::cri

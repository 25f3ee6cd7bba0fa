#include "cri/stats/cpu_rates.h"

namespace crisp::cri {
namespace {

constexpr int64_t kMinIntervalNs = 100'000'000;
constexpr double kSecondNs = 1e9;

}  // namespace

std::optional<uint64_t> CpuRates::Sample(const std::string& id, int64_t now_ns, uint64_t usage_ns) {
  absl::MutexLock lock(&mu_);
  const auto [found, first] = samples_.try_emplace(id, Samples{now_ns, usage_ns, {}});
  Samples& last = found->second;
  const int64_t elapsed = now_ns - last.at_ns;
  if (first || (elapsed >= 0 && elapsed < kMinIntervalNs)) return last.rate;
  // A counter that went back is that of another container; a clock that did tells nothing.
  std::optional<uint64_t> rate;
  if (elapsed > 0 && usage_ns >= last.usage_ns) {
    rate = static_cast<uint64_t>(static_cast<double>(usage_ns - last.usage_ns) * kSecondNs /
                                 static_cast<double>(elapsed));
  }
  last = {now_ns, usage_ns, rate};
  return rate;
}

void CpuRates::Keep(const std::set<std::string>& ids) {
  absl::MutexLock lock(&mu_);
  for (auto it = samples_.begin(); it != samples_.end();) {
    it = ids.count(it->first) == 0 ? samples_.erase(it) : std::next(it);
  }
}

}  // namespace crisp::cri

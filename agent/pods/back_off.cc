#include "agent/pods/back_off.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace crisp::agent {

absl::Duration Doubled(absl::Duration delay, const BackOffOptions& options) {
  return delay <= absl::ZeroDuration() ? std::min(options.base, options.max)
                                       : std::min(2 * delay, options.max);
}

NextStart AfterEnd(const ContainerState* ended, const BackOffOptions& options) {
  NextStart next;
  if (ended == nullptr) return next;
  const bool times_known =
      ended->finished_at > absl::InfinitePast() && ended->started_at > absl::InfinitePast();
  const bool ran_long = times_known && ended->finished_at - ended->started_at >= options.reset;
  next.delay = ran_long ? absl::ZeroDuration() : std::min(ended->next_back_off, options.max);
  next.next_back_off = Doubled(next.delay, options);
  // A runtime that does not say when it ended was asked soon after.
  const absl::Time end = std::max({ended->finished_at, ended->started_at, ended->created_at});
  if (end > absl::InfinitePast()) next.at = end + next.delay;
  return next;
}

std::string GoDuration(absl::Duration duration) {
  if (duration < absl::Seconds(1)) {
    return absl::StrCat(absl::ToDoubleMilliseconds(duration), "ms");
  }
  const int64_t hours = duration / absl::Hours(1);
  const int64_t minutes = duration % absl::Hours(1) / absl::Minutes(1);
  const double seconds = absl::ToDoubleSeconds(duration % absl::Minutes(1));
  std::string out;
  if (hours > 0) absl::StrAppend(&out, hours, "h");
  if (hours > 0 || minutes > 0) absl::StrAppend(&out, minutes, "m");
  return absl::StrCat(out, seconds, "s");
}

}  // namespace crisp::agent

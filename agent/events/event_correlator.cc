#include "agent/events/event_correlator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace crisp::agent {
namespace {

constexpr size_t kRemembered = 4096;
constexpr size_t kMostSimilar = 10;
constexpr absl::Duration kSimilarWithin = absl::Minutes(10);
constexpr double kBurst = 25;
constexpr absl::Duration kPerToken = absl::Minutes(5);

// Parts hold no line feed that could make two keys meet: each stands with its length.
std::string Key(std::initializer_list<absl::string_view> parts) {
  return absl::StrJoin(parts, "", [](std::string* out, absl::string_view part) {
    absl::StrAppend(out, part.size(), ":", part, ";");
  });
}

}  // namespace

EventCorrelator::EventCorrelator()
    : similar_(kRemembered), seen_(kRemembered), buckets_(kRemembered) {}

bool EventCorrelator::MaySpeak(const std::string& who, absl::Time now) {
  Bucket& bucket = buckets_.Get(who);
  if (!bucket.begun) {
    bucket = {true, kBurst, now};
  } else if (now > bucket.filled) {
    bucket.tokens =
        std::min(kBurst, bucket.tokens + absl::FDivDuration(now - bucket.filled, kPerToken));
    bucket.filled = now;
  }
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

std::optional<CorrelatedEvent> EventCorrelator::Correlate(const EventIdentity& event,
                                                          absl::Time now) {
  CorrelatedEvent out;
  const std::string about =
      Key({event.source, event.object, event.field_path, event.type, event.reason});
  Similar& similar = similar_.Get(about);
  if (now - similar.last > kSimilarWithin) similar.messages.clear();
  similar.last = now;
  similar.messages.insert(event.message);
  if (similar.messages.size() < kMostSimilar) {
    out.message = event.message;
    out.key = absl::StrCat(about, Key({event.message}));
  } else {
    // One of them goes, so that the set does not grow.
    similar.messages.erase(similar.messages.begin());
    out.message = absl::StrCat("(combined from similar events): ", event.message);
    out.key = about;
  }
  Seen& seen = seen_.Get(out.key);
  if (seen.count == 0) seen.first = now;
  ++seen.count;
  out.name = seen.name;
  out.count = seen.count;
  out.first = seen.first;
  if (!MaySpeak(Key({event.source, event.object}), now)) return std::nullopt;
  return out;
}

void EventCorrelator::Stored(const std::string& key, const std::string& name) {
  Seen& seen = seen_.Get(key);
  seen.name = name;
  if (name.empty()) seen.count = 0;
}

}  // namespace crisp::agent

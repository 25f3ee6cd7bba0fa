// Decides what becomes of an event: a new object, one more of an object that is
// there, part of a heap of similar ones, or nothing.
//
// The rules are those that Kubernetes' components follow, so that `crisp events`
// reads as kubectl does:
//   - the same event again raises the count of the first;
//   - from the tenth different message within ten minutes about the same thing, all
//     further ones share one event, "(combined from similar events): ...";
//   - one source may say 25 things about one object at once, then one every 5 minutes.
//
// Threads: one. Memory: bounded; what was not seen for longest is forgotten.
#ifndef CRISP_AGENT_EVENTS_EVENT_CORRELATOR_H_
#define CRISP_AGENT_EVENTS_EVENT_CORRELATOR_H_

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace crisp::agent {

// The part of an event that says what it is about.
struct EventIdentity {
  std::string source;  // Component and host.
  std::string object;  // Kind, namespace, name, uid.
  std::string field_path;
  std::string type, reason, message;
};

struct CorrelatedEvent {
  std::string message;  // As it is to be shown.
  std::string name;     // Of the event object; empty if it is to be made.
  int64_t count = 1;
  absl::Time first;
  std::string key;  // For Stored.
};

// A map that forgets what was not used for longest.
template <typename Value>
class Recent {
 public:
  explicit Recent(size_t most) : most_(most) {}

  // The value of `key`, made if it is not there.
  Value& Get(const std::string& key) {
    const auto found = places_.find(key);
    if (found != places_.end()) {
      values_.splice(values_.begin(), values_, found->second);
    } else {
      values_.emplace_front(key, Value());
      places_[key] = values_.begin();
      if (values_.size() > most_) {
        places_.erase(values_.back().first);
        values_.pop_back();
      }
    }
    return values_.front().second;
  }

 private:
  using Values = std::list<std::pair<std::string, Value>>;
  const size_t most_;
  Values values_;
  std::map<std::string, typename Values::iterator> places_;
};

class EventCorrelator {
 public:
  EventCorrelator();

  // nullopt: one too many.
  std::optional<CorrelatedEvent> Correlate(const EventIdentity& event, absl::Time now);
  // The event of `key` has this name from now on. Empty: there is none any more.
  void Stored(const std::string& key, const std::string& name);

 private:
  struct Similar {
    std::set<std::string> messages;
    absl::Time last = absl::InfinitePast();
  };
  struct Seen {
    std::string name;
    int64_t count = 0;
    absl::Time first;
  };
  struct Bucket {
    bool begun = false;
    double tokens = 0;
    absl::Time filled;
  };

  bool MaySpeak(const std::string& who, absl::Time now);

  Recent<Similar> similar_;
  Recent<Seen> seen_;
  Recent<Bucket> buckets_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_EVENTS_EVENT_CORRELATOR_H_

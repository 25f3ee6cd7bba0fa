// Watch.
#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/service/rpcs.h"
#include "agent/service/selection.h"
#include "agent/store/object_store.h"
#include "base/status_macros.h"

namespace crisp::agent::rpc {
namespace {

using Response = v1::WatchResponse;

// A client that is so far behind is cut off, and may begin anew.
constexpr size_t kMostWaiting = 16384;
// How soon a client that has gone, or the server's end, is noticed.
constexpr absl::Duration kLookAfter = absl::Milliseconds(250);

// Changes between the store's thread and the client's.
class Queue {
 public:
  void Push(ObjectChange change) {
    absl::MutexLock lock(&mu_);
    if (changes_.size() >= kMostWaiting) {
      overflown_ = true;
    } else {
      changes_.push_back(std::move(change));
    }
  }
  // What there is, after a while if there is nothing.
  std::deque<ObjectChange> Take(bool* overflown) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(this, &Queue::HasSome), kLookAfter);
    *overflown = overflown_;
    return std::exchange(changes_, {});
  }

 private:
  bool HasSome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return overflown_ || !changes_.empty();
  }

  absl::Mutex mu_;
  std::deque<ObjectChange> changes_ ABSL_GUARDED_BY(mu_);
  bool overflown_ ABSL_GUARDED_BY(mu_) = false;
};

// What the client has been told of, so that objects which leave the selection end for it.
class Teller {
 public:
  Teller(const ObjectSelection& selection, const WatchClient& client)
      : selection_(selection), client_(client) {}

  bool Tell(const ObjectChange& change) {
    const ObjectKey key = KeyOf(*change.object);
    const bool gone = change.type == ObjectChange::Type::kDeleted;
    if (gone || !selection_.Matches(*change.object)) {
      return told_.erase(key) == 0 || Send(Response::DELETED, *change.object);
    }
    return Send(told_.insert(key).second ? Response::ADDED : Response::MODIFIED, *change.object);
  }
  bool Synced() {
    Response response;
    response.set_type(Response::SYNCED);
    return client_.send(response);
  }
  void Know(const Json& object) {
    if (selection_.Matches(object)) told_.insert(KeyOf(object));
  }

 private:
  bool Send(Response::Type type, const Json& object) {
    Response response;
    response.set_type(type);
    response.set_object(ToText(object));
    return client_.send(response);
  }

  const ObjectSelection& selection_;
  const WatchClient& client_;
  std::set<ObjectKey> told_;
};

}  // namespace

absl::Status Watch(const ServiceContext& context, const v1::WatchRequest& request,
                   const WatchClient& client) {
  CRISP_ASSIGN_OR_RETURN(const ObjectSelection selection,
                         ObjectSelection::Read(request.selection()));
  Teller teller(selection, client);
  auto queue = std::make_unique<Queue>();
  std::vector<ObjectPtr> there;
  bool listing = true;  // Only this thread is called while it is true.
  const auto subscription =
      context.store->Subscribe(selection.kind(), [&](const ObjectChange& change) {
        if (listing) {
          there.push_back(change.object);
        } else {
          queue->Push(change);
        }
      });
  listing = false;
  for (const ObjectPtr& object : there) {
    if (request.only_changes()) {
      teller.Know(*object);
    } else if (!teller.Tell({ObjectChange::Type::kAdded, object})) {
      return absl::OkStatus();
    }
  }
  if (!teller.Synced()) return absl::OkStatus();
  while (!client.gone()) {
    bool overflown = false;
    for (const ObjectChange& change : queue->Take(&overflown)) {
      if (!teller.Tell(change)) return absl::OkStatus();
    }
    if (overflown) {
      return absl::ResourceExhaustedError("the client is too slow to be told every change");
    }
  }
  return absl::UnavailableError("the agent ends");
}

}  // namespace crisp::agent::rpc

// Static pods: what stands in a directory, and what a URL answers, as Pod objects.
//
// A file that appears makes a pod; one that changes replaces it; one that goes takes it
// away. A file that cannot be read as it stands (half written, say) leaves its pods as
// they are and is read again; what is wrong with it is told once. Over a restart of the
// agent nothing changes as long as the files do not: the objects are in the store, and
// their hashes say whether they are still true.
//
// Ownership: borrows store, recorder and clock; owns a thread for each source.
// Threads:   Start and Stop from one.
// Errors:    Start's are those of watching the directory, which is made if it is missing;
//            all others are logged and, as events, told of the pod or the node.
#ifndef CRISP_AGENT_STATIC_PODS_STATIC_PODS_H_
#define CRISP_AGENT_STATIC_PODS_STATIC_PODS_H_

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/static_pods/static_pod_manifest.h"
#include "agent/store/object_store.h"
#include "base/clock.h"
#include "base/unique_fd.h"

namespace crisp::agent {

struct StaticPodsOptions {
  std::string node_name;
  std::string directory;  // Empty: none.
  std::string url;        // http or https; empty: none.
  std::vector<std::pair<std::string, std::string>> url_headers;
  absl::Duration url_period = absl::Seconds(20);
  // The directory is read anew so often though nothing was heard of it.
  absl::Duration directory_period = absl::Seconds(20);
  // A file that could not be read is read again after this.
  absl::Duration retry = absl::Seconds(1);
};

class StaticPods {
 public:
  StaticPods(ObjectStore* store, EventRecorder* events, Clock* clock, StaticPodsOptions options);
  ~StaticPods() { Stop(); }
  StaticPods(const StaticPods&) = delete;
  StaticPods& operator=(const StaticPods&) = delete;

  absl::Status Start();
  // The pods run on.
  void Stop();

 private:
  // What one file, or the URL, says.
  struct Said {
    std::string hash;  // Of the text that `pods` were read from.
    std::vector<StaticPod> pods;
    std::string failed_hash;  // Of a text that was told to be no good.
  };
  struct Source {
    const char* name = "";
    UniqueFd wake;  // An eventfd: a pod of this source is gone, or all ends.
    // Of its thread alone.
    std::map<std::string, Said> said;  // By path, or by URL.
    bool listed = false;               // All that there is stands in `said`.
    std::set<ObjectKey> conflicts;     // That were told.
    std::thread thread;
  };

  void WatchDirectory();
  void PollUrl();
  // True if all could be read.
  bool ReadDirectory();
  bool ReadUrl();
  // Takes in what `where` says now. True if it could be read.
  bool Take(Source* source, const std::string& where, const std::string& text);
  void TellFailure(Said* said, const std::string& hash, const absl::Status& status);
  // Makes the store's pods of the source what it says. True if nothing is left to do.
  bool Reconcile(Source* source);
  bool Waits(Source* source, int fd, absl::Duration most);

  ObjectStore& store_;
  EventRecorder& events_;
  Clock& clock_;
  const StaticPodsOptions options_;
  UniqueFd inotify_;
  Source file_, http_;
  std::unique_ptr<ObjectStore::Subscription> subscription_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STATIC_PODS_STATIC_PODS_H_

// Brings a container's image to the node, by imagePullPolicy, without holding up the pod:
// a pull runs in the background and wakes the pod when it is over.
//
// A pull that failed is not tried again before its back-off is over, which doubles with
// each failure (in memory: a new agent tries at once). The pod's imagePullSecrets are read
// anew for each.
//
// Ownership: borrows all. Threads: safe. Errors: in the result, in Kubernetes' words.
#ifndef CRISP_AGENT_PODS_IMAGE_PULLER_H_
#define CRISP_AGENT_PODS_IMAGE_PULLER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/pods/back_off.h"
#include "agent/pods/pod_sync.h"
#include "agent/runtime/image_facts.h"
#include "agent/runtime/pod_runtime.h"
#include "agent/store/object_store.h"
#include "base/clock.h"
#include "base/elastic_pool.h"

namespace crisp::agent {

class ImagePuller {
 public:
  using Wake = std::function<void(const std::string& pod_uid)>;
  ImagePuller(const ObjectStore* store, PodRuntime* runtime, EventRecorder* events, Clock* clock,
              ElasticPool* pool, BackOffOptions back_off, Wake wake);

  struct Request {
    ObjectPtr pod;  // For events.
    std::string pod_uid, container;
    std::string field_path;  // "spec.containers{web}"
    std::string image, policy;
    std::vector<std::string> pull_secrets;  // By name, in the pod's namespace.
    std::shared_ptr<const runtime::v1::PodSandboxConfig> sandbox_config;
  };
  // The image for the next start of the container, once; nullopt if it is not there yet:
  // then Progress tells why. May call the runtime, for a moment.
  std::optional<ImageFacts> Take(const Request& request);

  // What stands in the way of the container's image now: busy, waiting and retry_at.
  // What became of another image, that the container had before, counts no more.
  ContainerProgress Progress(const std::string& pod_uid, const std::string& container,
                             const std::string& image);

  void Forget(const std::string& pod_uid);

 private:
  struct Fetch {
    bool busy = false;
    std::optional<ImageFacts> ready;
    std::optional<Waiting> failed;
    absl::Time failed_at, retry_at;
    absl::Duration delay = absl::ZeroDuration();
    bool told = false;  // The event BackOff.
    Request request;
  };
  using Key = std::pair<std::string, std::string>;

  void Pull(const Request& request);
  // With each of the pod's credentials for the image until one will do, or with none.
  absl::StatusOr<std::string> PullWithSecrets(const Request& request);
  // Returns the facts, or records why there are none.
  std::optional<ImageFacts> Fail(const Request& request, const char* reason,
                                 const std::string& message);

  const ObjectStore& store_;
  PodRuntime& runtime_;
  EventRecorder& events_;
  Clock& clock_;
  ElasticPool& pool_;
  const BackOffOptions back_off_;
  const Wake wake_;
  absl::Mutex mu_;
  std::map<Key, Fetch> fetches_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_IMAGE_PULLER_H_

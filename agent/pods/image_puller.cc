#include "agent/pods/image_puller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/pods/keyring.h"

namespace crisp::agent {
namespace {

// How long a failure shows its own reason before it shows that it waits.
constexpr absl::Duration kShowFailure = absl::Seconds(2);

}  // namespace

ImagePuller::ImagePuller(const ObjectStore* store, PodRuntime* runtime, EventRecorder* events,
                         Clock* clock, ElasticPool* pool, BackOffOptions back_off, Wake wake)
    : store_(*store),
      runtime_(*runtime),
      events_(*events),
      clock_(*clock),
      pool_(*pool),
      back_off_(back_off),
      wake_(std::move(wake)) {}

std::optional<ImageFacts> ImagePuller::Take(const Request& request) {
  const Key key(request.pod_uid, request.container);
  {
    absl::MutexLock lock(&mu_);
    auto found = fetches_.find(key);
    if (found != fetches_.end() && found->second.request.image != request.image) {
      // The definition changed; a pull of the old image, if one runs, ends for nobody.
      fetches_.erase(found);
      found = fetches_.end();
    }
    if (found != fetches_.end()) {
      Fetch& fetch = found->second;
      if (fetch.busy) return std::nullopt;
      if (fetch.ready.has_value()) {
        std::optional<ImageFacts> ready = std::move(fetch.ready);
        fetches_.erase(found);
        return ready;
      }
      if (fetch.retry_at > clock_.Now()) return std::nullopt;
    }
  }
  if (request.policy != "Always") {
    const auto present = runtime_.ImageStatus(request.image);
    if (!present.ok()) {
      return Fail(request, "ImageInspectError",
                  absl::StrCat("Failed to inspect image \"", request.image,
                               "\": ", present.status().message()));
    }
    if (present->has_value()) {
      events_.Record(
          *request.pod, EventType::kNormal, "Pulled",
          absl::StrCat("Container image \"", request.image, "\" already present on machine"),
          request.field_path);
      absl::MutexLock lock(&mu_);
      fetches_.erase(key);
      return **present;
    }
    if (request.policy == "Never") {
      return Fail(request, "ErrImageNeverPull",
                  absl::StrCat("Container image \"", request.image,
                               "\" is not present with pull policy of Never"));
    }
  }
  {
    absl::MutexLock lock(&mu_);
    Fetch& fetch = fetches_[key];
    fetch.busy = true;
    fetch.request = request;
  }
  pool_.Post([this, request] { Pull(request); });
  return std::nullopt;
}

absl::StatusOr<std::string> ImagePuller::PullWithSecrets(const Request& request) {
  std::vector<std::string> missing;
  const auto keyring = ReadPullSecrets(store_, TextAt(*request.pod, "metadata.namespace"),
                                       request.pull_secrets, &missing);
  if (!missing.empty()) {
    events_.Record(
        *request.pod, EventType::kWarning, "FailedToRetrieveImagePullSecret",
        absl::StrCat("Unable to retrieve some image pull secrets (", absl::StrJoin(missing, ", "),
                     "); attempting to pull the image may not succeed."));
  }
  if (!keyring.ok()) return keyring.status();
  const std::vector<RegistryCredentials> credentials = keyring->Lookup(request.image);
  if (credentials.empty()) {
    return runtime_.PullImage(request.image, std::nullopt, *request.sandbox_config);
  }
  std::vector<std::string> failures;
  absl::Status last;
  for (const RegistryCredentials& one : credentials) {
    auto pulled = runtime_.PullImage(request.image, one, *request.sandbox_config);
    if (pulled.ok() || absl::IsCancelled(pulled.status())) return pulled;
    last = pulled.status();
    failures.emplace_back(last.message());
  }
  if (failures.size() == 1) return last;
  return absl::Status(last.code(), absl::StrCat("[", absl::StrJoin(failures, ", "), "]"));
}

void ImagePuller::Pull(const Request& request) {
  events_.Record(*request.pod, EventType::kNormal, "Pulling",
                 absl::StrCat("Pulling image \"", request.image, "\""), request.field_path);
  const absl::Duration begun = clock_.Steady();
  const auto pulled = PullWithSecrets(request);
  if (absl::IsCancelled(pulled.status())) return;  // The agent ends.
  const absl::Duration took = absl::Trunc(clock_.Steady() - begun, absl::Milliseconds(1));
  absl::StatusOr<std::optional<ImageFacts>> facts =
      pulled.ok() ? runtime_.ImageStatus(*pulled) : pulled.status();
  if (facts.ok() && !facts->has_value()) {
    facts = absl::NotFoundError("the image was pulled and is gone again");
  }
  if (!facts.ok()) {
    Fail(request, "ErrImagePull",
         absl::StrCat("Failed to pull image \"", request.image, "\": ", facts.status().message()));
  } else {
    events_.Record(
        *request.pod, EventType::kNormal, "Pulled",
        absl::StrCat("Successfully pulled image \"", request.image, "\" in ", GoDuration(took),
                     " (", GoDuration(took),
                     " including waiting). Image size: ", (*facts)->size_bytes, " bytes."),
        request.field_path);
    absl::MutexLock lock(&mu_);
    const auto found = fetches_.find(Key(request.pod_uid, request.container));
    // Forgotten meanwhile, with its pod, or for another image.
    if (found == fetches_.end() || found->second.request.image != request.image) return;
    found->second = Fetch();
    found->second.ready = **facts;
    found->second.request = request;
  }
  wake_(request.pod_uid);
}

std::optional<ImageFacts> ImagePuller::Fail(const Request& request, const char* reason,
                                            const std::string& message) {
  const auto warn = [&](const std::string& text) {
    events_.Record(*request.pod, EventType::kWarning, "Failed", text, request.field_path);
  };
  warn(message);
  warn(absl::StrCat("Error: ", reason));
  absl::MutexLock lock(&mu_);
  const Key key(request.pod_uid, request.container);
  // A pull whose pod was forgotten, or that has another image now, leaves nothing behind.
  if (const auto found = fetches_.find(key);
      absl::string_view(reason) == "ErrImagePull" &&
      (found == fetches_.end() || found->second.request.image != request.image)) {
    return std::nullopt;
  }
  Fetch& fetch = fetches_[key];
  fetch.busy = false;
  fetch.told = false;
  fetch.failed = Waiting{reason, message};
  fetch.delay = Doubled(fetch.delay, back_off_);
  fetch.failed_at = clock_.Now();
  fetch.retry_at = fetch.failed_at + fetch.delay;
  fetch.request = request;
  return std::nullopt;
}

ContainerProgress ImagePuller::Progress(const std::string& pod_uid, const std::string& container,
                                        const std::string& image) {
  ContainerProgress out;
  absl::MutexLock lock(&mu_);
  const auto found = fetches_.find(Key(pod_uid, container));
  if (found == fetches_.end() || found->second.request.image != image) return out;
  Fetch& fetch = found->second;
  out.busy = fetch.busy;
  if (!fetch.failed.has_value()) return out;
  out.waiting = fetch.failed;
  out.retry_at = fetch.retry_at;
  if (fetch.failed->reason != "ErrImagePull") return out;
  const absl::Time shown = fetch.failed_at + std::min(kShowFailure, fetch.delay / 2);
  if (clock_.Now() < shown) {
    out.look_again_at = shown;
    return out;
  }
  out.waiting =
      Waiting{"ImagePullBackOff", absl::StrCat("Back-off pulling image \"", image,
                                               "\": ErrImagePull: ", fetch.failed->message)};
  if (!fetch.told) {
    fetch.told = true;
    events_.Record(*fetch.request.pod, EventType::kNormal, "BackOff",
                   absl::StrCat("Back-off pulling image \"", image, "\""),
                   fetch.request.field_path);
    events_.Record(*fetch.request.pod, EventType::kWarning, "Failed", "Error: ImagePullBackOff",
                   fetch.request.field_path);
  }
  return out;
}

void ImagePuller::Forget(const std::string& pod_uid) {
  absl::MutexLock lock(&mu_);
  fetches_.erase(fetches_.lower_bound(Key(pod_uid, "")),
                 fetches_.lower_bound(Key(absl::StrCat(pod_uid, "\x01"), "")));
}

}  // namespace crisp::agent

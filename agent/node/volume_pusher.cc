#include "agent/node/volume_pusher.h"

#include <utility>

#include "absl/time/time.h"
#include "agent/cri_client.h"
#include "agent/manifest/object_documents.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::Volumes;

constexpr absl::Duration kCompareEvery = absl::Seconds(30);
constexpr absl::Duration kTimeout = absl::Seconds(10);
// On what the agent brought, so that it takes nothing else away.
constexpr char kOurs[] = "io.crisp.agent";

}  // namespace

VolumePusher::~VolumePusher() { Stop(); }

void VolumePusher::Start() {
  for (const char* kind : {"ConfigMap", "Secret"}) {
    subscriptions_.push_back(store_->Subscribe(kind, [this](const ObjectChange& change) {
      absl::MutexLock lock(&mu_);
      waiting_.insert(KeyOf(*change.object));
    }));
  }
  thread_ = std::thread([this] { Work(); });
}

void VolumePusher::Stop() {
  subscriptions_.clear();
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void VolumePusher::OnRuntime(const RuntimeInfo& runtime) {
  absl::MutexLock lock(&mu_);
  const bool usable = !runtime.away && runtime.volumes;
  if (usable && !usable_) compare_ = true;
  usable_ = usable;
}

void VolumePusher::Push(const ObjectKey& key) {
  {
    absl::MutexLock lock(&mu_);
    if (!usable_) return;
  }
  absl::MutexLock push_lock(&push_mu_);
  if (const absl::Status pushed = PushOne(key); !pushed.ok()) {
    LogWarn("the runtime does not have an object yet",
            {{"kind", key.kind}, {"namespace", key.ns}, {"name", key.name}, {"reason", pushed}});
  }
}

void VolumePusher::Work() {
  while (true) {
    std::set<ObjectKey> keys;
    bool compare = false;
    {
      absl::MutexLock lock(&mu_);
      const bool woken =
          mu_.AwaitWithTimeout(absl::Condition(this, &VolumePusher::HasWork), kCompareEvery);
      if (stopping_) return;
      if (!usable_) continue;
      keys = std::exchange(waiting_, {});
      compare = std::exchange(compare_, false) || !woken;
    }
    if (compare) {
      for (const char* kind : {"ConfigMap", "Secret"}) {
        for (const ObjectPtr& object : store_->List(kind)) keys.insert(KeyOf(*object));
      }
      if (const absl::Status removed = RemoveForgotten(); !removed.ok()) {
        LogWarn("the runtime may have objects that are gone", {{"reason", removed}});
      }
    }
    for (const ObjectKey& key : keys) Push(key);
  }
}

absl::Status VolumePusher::PushOne(const ObjectKey& key) {
  const absl::StatusOr<ObjectPtr> object = store_->Get(key);
  if (!object.ok()) return Delete(key);
  absl::Status pushed = key.kind == "Secret" ? PushSecret(**object) : PushConfigMap(**object);
  if (absl::IsFailedPrecondition(pushed)) {
    // Immutable there, and another object of the same name here.
    CRISP_RETURN_IF_ERROR(Delete(key));
    pushed = key.kind == "Secret" ? PushSecret(**object) : PushConfigMap(**object);
  }
  return pushed;
}

absl::Status VolumePusher::PushConfigMap(const Json& object) {
  crisp::volumes::v1::ApplyConfigMapRequest request;
  CRISP_ASSIGN_OR_RETURN(*request.mutable_config_map(), ReadConfigMap(object));
  (*request.mutable_config_map()->mutable_labels())[kOurs] = "";
  return client_->Volumes(&Volumes::Stub::ApplyConfigMap, request, kTimeout).status();
}

absl::Status VolumePusher::PushSecret(const Json& object) {
  crisp::volumes::v1::ApplySecretRequest request;
  CRISP_ASSIGN_OR_RETURN(*request.mutable_secret(), ReadSecret(object));
  (*request.mutable_secret()->mutable_labels())[kOurs] = "";
  return client_->Volumes(&Volumes::Stub::ApplySecret, request, kTimeout).status();
}

absl::Status VolumePusher::Delete(const ObjectKey& key) {
  if (key.kind == "Secret") {
    crisp::volumes::v1::DeleteSecretRequest request;
    request.mutable_key()->set_namespace_(key.ns);
    request.mutable_key()->set_name(key.name);
    return client_->Volumes(&Volumes::Stub::DeleteSecret, request, kTimeout).status();
  }
  crisp::volumes::v1::DeleteConfigMapRequest request;
  request.mutable_key()->set_namespace_(key.ns);
  request.mutable_key()->set_name(key.name);
  return client_->Volumes(&Volumes::Stub::DeleteConfigMap, request, kTimeout).status();
}

absl::Status VolumePusher::RemoveForgotten() {
  std::vector<ObjectKey> theirs;
  CRISP_ASSIGN_OR_RETURN(const auto maps,
                         client_->Volumes(&Volumes::Stub::ListConfigMaps,
                                          crisp::volumes::v1::ListConfigMapsRequest(), kTimeout));
  for (const auto& map : maps.config_maps()) {
    if (!map.labels().contains(kOurs)) continue;
    theirs.push_back({"ConfigMap", map.key().namespace_(), map.key().name()});
  }
  CRISP_ASSIGN_OR_RETURN(const auto secrets,
                         client_->Volumes(&Volumes::Stub::ListSecrets,
                                          crisp::volumes::v1::ListSecretsRequest(), kTimeout));
  for (const auto& secret : secrets.secrets()) {
    if (!secret.labels().contains(kOurs)) continue;
    theirs.push_back({"Secret", secret.key().namespace_(), secret.key().name()});
  }
  absl::MutexLock push_lock(&push_mu_);
  for (const ObjectKey& key : theirs) {
    if (!store_->Get(key).ok()) CRISP_RETURN_IF_ERROR(Delete(key));
  }
  return absl::OkStatus();
}

}  // namespace crisp::agent

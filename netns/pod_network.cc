#include "netns/pod_network.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "netns/builtin/builtin_network.h"
#include "netns/cni/bounded_json.h"
#include "netns/cni/cni_network.h"
#include "netns/cni/config_dir.h"
#include "netns/keyed_mutex.h"

namespace crisp::netns {
namespace {

// Kubelet asks every few seconds; plugins that implement STATUS are executed for it.
constexpr absl::Duration kReadyMaxAge = absl::Seconds(5);

// Which of the two networks a pod gets is decided when it is attached, by whether
// there is a configuration. Which one it has is known from their own records.
class EitherNetwork : public PodNetwork {
 public:
  explicit EitherNetwork(PodNetworkOptions options)
      : options_(std::move(options)),
        config_(options_.conf_dir),
        cni_({.bin_dirs = options_.bin_dirs,
              .cache_dir = options_.cache_dir,
              .plugin_timeout = options_.plugin_timeout}),
        builtin_(BuiltinNetwork::Make(options_.builtin_state_dir, options_.builtin_bridge,
                                      options_.builtin_subnet)) {}

  absl::StatusOr<PodNetworkResult> Attach(const PodAttachment& pod) override {
    KeyedMutex::Lock lock(&sandboxes_, pod.sandbox_id);
    CRISP_RETURN_IF_ERROR(Annotate(ReleaseLocked(pod), "left over from an earlier attempt"));
    auto result = AttachLocked(pod);
    absl::MutexLock state(&mu_);
    last_error_ = result.status();
    return result;
  }

  absl::Status Release(const PodAttachment& pod) override {
    KeyedMutex::Lock lock(&sandboxes_, pod.sandbox_id);
    const absl::Status status = ReleaseLocked(pod);
    if (!status.ok()) {
      absl::MutexLock state(&mu_);
      last_error_ = status;
    }
    return status;
  }

  absl::Status Check(const PodAttachment& pod) override {
    KeyedMutex::Lock lock(&sandboxes_, pod.sandbox_id);
    CRISP_ASSIGN_OR_RETURN(const bool by_cni, cni_.Knows(pod.sandbox_id));
    if (by_cni || !builtin_.ok()) return cni_.Check(pod);
    return (*builtin_)->Check(pod);
  }

  absl::Status Ready() override {
    const auto network = config_.Current();
    if (network.ok()) return CniReady(*network);
    if (!UseBuiltin(network.status())) return network.status();
    CRISP_RETURN_IF_ERROR(builtin_.status());
    return (*builtin_)->Ready();
  }

  absl::Status CollectGarbage(const std::vector<std::string>& live_sandbox_ids) override {
    const auto network = config_.Current();
    const absl::Status by_cni =
        cni_.CollectGarbage(network.ok() ? network->get() : nullptr, live_sandbox_ids);
    const absl::Status by_builtin =
        builtin_.ok() ? (*builtin_)->CollectGarbage(live_sandbox_ids) : absl::OkStatus();
    return by_cni.ok() ? by_builtin : by_cni;
  }

  std::string Describe() override {
    using nlohmann::json;
    const ConfigDir::View view = config_.Look();
    json out = {{"confDir", options_.conf_dir},
                {"binDirs", options_.bin_dirs},
                {"cacheDir", options_.cache_dir},
                {"files", view.files}};
    if (view.network != nullptr) {
      json plugins = json::array();
      for (const json& plugin : view.network->plugins) {
        plugins.push_back(StringMember(plugin, "type"));
      }
      out["mode"] = "cni";
      out["network"] = {{"name", view.network->name},
                        {"cniVersion", view.network->version.ToString()},
                        {"file", view.file},
                        {"plugins", plugins}};
    } else {
      out["mode"] = view.error.ok() && options_.builtin_enabled ? "builtin" : "none";
    }
    if (!view.error.ok()) out["configError"] = std::string(view.error.message());
    DescribeBuiltin(&out);
    absl::MutexLock state(&mu_);
    if (!last_error_.ok()) out["lastError"] = last_error_.ToString();
    return JsonText(out);
  }

  absl::Status RemoveBuiltin() override {
    CRISP_RETURN_IF_ERROR(builtin_.status());
    return (*builtin_)->Remove();
  }

 private:
  // Only where there is no configuration at all: one that is broken is somebody's
  // intent to use CNI.
  bool UseBuiltin(const absl::Status& no_config) const {
    return absl::IsNotFound(no_config) && options_.builtin_enabled;
  }

  absl::StatusOr<PodNetworkResult> AttachLocked(const PodAttachment& pod) {
    const auto network = config_.Current();
    if (network.ok()) return cni_.Attach(**network, pod);
    if (!UseBuiltin(network.status())) {
      return absl::FailedPreconditionError(network.status().message());
    }
    CRISP_RETURN_IF_ERROR(builtin_.status());
    return (*builtin_)->Attach(pod);
  }

  absl::Status ReleaseLocked(const PodAttachment& pod) {
    const auto network = config_.Current();
    const absl::Status by_cni = cni_.Release(network.ok() ? network->get() : nullptr, pod);
    const absl::Status by_builtin =
        builtin_.ok() ? (*builtin_)->Release(pod.sandbox_id) : absl::OkStatus();
    return by_cni.ok() ? by_builtin : by_cni;
  }

  absl::Status CniReady(const std::shared_ptr<const NetworkConfig>& network) {
    {
      absl::MutexLock state(&mu_);
      if (ready_for_ == network && absl::Now() - ready_at_ < kReadyMaxAge) return ready_;
    }
    const absl::Status status = cni_.Ready(*network);
    absl::MutexLock state(&mu_);
    ready_for_ = network;
    ready_at_ = absl::Now();
    ready_ = status;
    return status;
  }

  void DescribeBuiltin(nlohmann::json* out) {
    nlohmann::json builtin = {{"enabled", options_.builtin_enabled},
                              {"bridge", options_.builtin_bridge},
                              {"subnet", options_.builtin_subnet}};
    if (builtin_.ok()) {
      const auto attached = (*builtin_)->AttachedCount();
      if (attached.ok()) builtin["attached"] = *attached;
    } else {
      builtin["error"] = std::string(builtin_.status().message());
    }
    (*out)["builtin"] = builtin;
  }

  const PodNetworkOptions options_;
  ConfigDir config_;
  CniNetwork cni_;
  // An error if the options for it are wrong, which is said when it is needed.
  const absl::StatusOr<std::unique_ptr<BuiltinNetwork>> builtin_;
  KeyedMutex sandboxes_;

  absl::Mutex mu_;
  absl::Status last_error_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const NetworkConfig> ready_for_ ABSL_GUARDED_BY(mu_);
  absl::Time ready_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  absl::Status ready_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<PodNetwork> MakePodNetwork(PodNetworkOptions options) {
  return std::make_unique<EitherNetwork>(std::move(options));
}

}  // namespace crisp::netns

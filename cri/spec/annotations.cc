#include "cri/spec/annotations.h"

namespace crisp::cri {
namespace {

nlohmann::json PodAnnotations(const runtime::v1::PodSandboxConfig& pod, const char* type,
                              const std::string& sandbox_id) {
  return {{"io.kubernetes.cri.container-type", type},
          {"io.kubernetes.cri.sandbox-id", sandbox_id},
          {"io.kubernetes.cri.sandbox-name", pod.metadata().name()},
          {"io.kubernetes.cri.sandbox-namespace", pod.metadata().namespace_()},
          {"io.kubernetes.cri.sandbox-uid", pod.metadata().uid()}};
}

}  // namespace

nlohmann::json SandboxAnnotations(const runtime::v1::PodSandboxConfig& config,
                                  const std::string& sandbox_id, const std::string& pause_image) {
  nlohmann::json out = PodAnnotations(config, "sandbox", sandbox_id);
  out["io.kubernetes.cri.sandbox-log-directory"] = config.log_directory();
  if (!pause_image.empty()) out["io.kubernetes.cri.podsandbox.image-name"] = pause_image;
  // The pod's sums, from which runtimes that start a virtual machine size it.
  if (config.linux().has_resources()) {
    const auto& resources = config.linux().resources();
    out["io.kubernetes.cri.sandbox-cpu-period"] = std::to_string(resources.cpu_period());
    out["io.kubernetes.cri.sandbox-cpu-quota"] = std::to_string(resources.cpu_quota());
    out["io.kubernetes.cri.sandbox-cpu-shares"] = std::to_string(resources.cpu_shares());
    out["io.kubernetes.cri.sandbox-memory"] = std::to_string(resources.memory_limit_in_bytes());
  }
  return out;
}

nlohmann::json ContainerAnnotations(const runtime::v1::ContainerConfig& config,
                                    const runtime::v1::PodSandboxConfig& pod,
                                    const std::string& sandbox_id) {
  nlohmann::json out = PodAnnotations(pod, "container", sandbox_id);
  out["io.kubernetes.cri.container-name"] = config.metadata().name();
  const auto& image = config.image();
  out["io.kubernetes.cri.image-name"] =
      image.user_specified_image().empty() ? image.image() : image.user_specified_image();
  return out;
}

}  // namespace crisp::cri

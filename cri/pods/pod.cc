#include "cri/pods/pod.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace crisp::cri {

using runtime::v1::NamespaceMode;

Pod::Pod(std::string directory, const std::string& boot_id, state::v1::PodRecord record)
    : id_(record.id()),
      directory_(std::move(directory)),
      config_(record.config()),
      runtime_handler_(record.runtime_handler()),
      created_at_(record.created_at()),
      name_key_(PodNameKey(config_.metadata())),
      cgroup_path_(record.cgroup_path()),
      facts_(RecordPath(), boot_id, std::move(record)) {}

bool Pod::listed() const {
  return facts_.Read([](const state::v1::PodRecord& facts) { return facts.started(); });
}

runtime::v1::PodSandboxState Pod::state() const {
  return facts_.Read([](const state::v1::PodRecord& facts) {
    return facts.started() && facts.exited_at() == 0 ? runtime::v1::SANDBOX_READY
                                                     : runtime::v1::SANDBOX_NOTREADY;
  });
}

std::string Pod::ShmPath() const { return host_ipc() ? "/dev/shm" : directory_ + "/shm"; }

bool Pod::host_network() const {
  return config_.linux().security_context().namespace_options().network() == NamespaceMode::NODE;
}

bool Pod::host_ipc() const {
  return config_.linux().security_context().namespace_options().ipc() == NamespaceMode::NODE;
}

std::string PodNameKey(const runtime::v1::PodSandboxMetadata& metadata) {
  return absl::StrCat(metadata.name(), "_", metadata.namespace_(), "_", metadata.uid(), "_",
                      metadata.attempt());
}

std::string PodDisplayName(const runtime::v1::PodSandboxMetadata& metadata) {
  return absl::StrCat(metadata.namespace_(), "/", metadata.name());
}

}  // namespace crisp::cri

#include "agent/node/runtime_monitor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/cri_client.h"

namespace crisp::agent {
namespace {

using crisp::volumes::v1::Volumes;
using runtime::v1::RuntimeService;

constexpr absl::Duration kEvery = absl::Seconds(3);
constexpr absl::Duration kEveryWhileAway = absl::Milliseconds(500);
constexpr absl::Duration kTimeout = absl::Seconds(5);
// No pod can be in it: the question is only whether the service is there.
constexpr char kNoNamespace[] = "crisp-agent-asks";

}  // namespace

RuntimeMonitor::~RuntimeMonitor() { Stop(); }

RuntimeInfo RuntimeMonitor::info() const {
  absl::MutexLock lock(&mu_);
  return info_;
}

RuntimeInfo RuntimeMonitor::Ask() {
  RuntimeInfo info;
  runtime::v1::VersionRequest version_request;
  version_request.set_version("v1");
  const auto version = client_->Runtime(&RuntimeService::Stub::Version, version_request, kTimeout);
  if (!version.ok()) {
    info.error = std::string(version.status().message());
    return info;
  }
  info.away = false;
  info.name = version->runtime_name();
  info.version = version->runtime_version();
  const auto status =
      client_->Runtime(&RuntimeService::Stub::Status, runtime::v1::StatusRequest(), kTimeout);
  if (status.ok()) {
    for (const auto& condition : status->status().conditions()) {
      if (condition.status()) continue;
      absl::StrAppend(&info.error, info.error.empty() ? "" : "; ", condition.type(), ": ",
                      condition.message().empty() ? condition.reason() : condition.message());
    }
  }
  crisp::volumes::v1::ListConfigMapsRequest volumes_request;
  volumes_request.set_namespace_(kNoNamespace);
  const auto volumes = client_->Volumes(&Volumes::Stub::ListConfigMaps, volumes_request, kTimeout);
  info.volumes = volumes.ok();
  return info;
}

void RuntimeMonitor::Start(Listener listener) {
  listener_ = std::move(listener);
  RuntimeInfo first = Ask();
  {
    absl::MutexLock lock(&mu_);
    info_ = first;
  }
  listener_(first);
  thread_ = std::thread([this] { Watch(); });
}

void RuntimeMonitor::Watch() {
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      mu_.AwaitWithTimeout(absl::Condition(&stopping_), info_.away ? kEveryWhileAway : kEvery);
      if (stopping_) return;
    }
    RuntimeInfo now = Ask();
    {
      absl::MutexLock lock(&mu_);
      info_ = now;
    }
    listener_(now);
  }
}

void RuntimeMonitor::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace crisp::agent

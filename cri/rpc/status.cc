#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "base/version.h"
#include "cri/containerd/containerd.h"
#include "cri/rpc/rpcs.h"

namespace crisp::cri::rpc {
namespace {

void AddCondition(const char* type, const absl::Status& health, const char* reason,
                  runtime::v1::RuntimeStatus* status) {
  runtime::v1::RuntimeCondition* condition = status->add_conditions();
  condition->set_type(type);
  condition->set_status(health.ok());
  if (health.ok()) return;
  condition->set_reason(reason);
  // A file below /etc/cni/net.d may have any name.
  condition->set_message(ToUtf8(health.message()));
}

std::string CgroupModeName(CgroupMode mode) {
  switch (mode) {
    case CgroupMode::kV1:
      return "v1";
    case CgroupMode::kHybrid:
      return "hybrid";
    case CgroupMode::kV2:
      return "v2";
  }
  return "unknown";
}

std::string Describe(const RpcContext& context, const std::string& containerd_version) {
  const HostFacts& host = context.node.host;
  nlohmann::ordered_json info;
  info["version"] = kCrispVersion;
  // critest and kubelet's tools look for these two names.
  info["stateDir"] = context.config.state;
  info["rootDir"] = context.config.root;
  info["containerd"] = {{"address", context.containerd->socket()},
                        {"namespace", context.containerd->ns()},
                        {"version", containerd_version},
                        {"snapshotter", context.containerd->snapshotter()},
                        {"managed", context.config.containerd.address.empty()}};
  info["runtimeHandlers"] = context.node.handlers->Names();
  info["host"] = {{"kernel", host.kernel_release}, {"cgroup", CgroupModeName(host.cgroup_mode)},
                  {"seccomp", host.seccomp},       {"apparmor", host.apparmor},
                  {"selinux", host.selinux},       {"canRaiseLimits", host.can_raise_limits}};
  return info.dump(2);
}

}  // namespace

absl::Status Status(RpcContext& context, const Call& call,
                    const runtime::v1::StatusRequest& request,
                    runtime::v1::StatusResponse* response) {
  // kubelet asks every five seconds and gives up after its own time-out: a dead
  // containerd must be reported, not waited for.
  const absl::StatusOr<std::string> version = context.containerd->LastVersion();
  AddCondition("RuntimeReady", version.status(), "ContainerdUnavailable",
               response->mutable_status());
  AddCondition("NetworkReady", context.node.network->Ready(), "NetworkNotReady",
               response->mutable_status());
  for (const std::string& name : context.node.handlers->Names()) {
    runtime::v1::RuntimeHandler* handler = response->add_runtime_handlers();
    handler->set_name(name);
    const auto driver = context.node.handlers->Find(name);
    if (!driver.ok()) continue;
    const TaskDriver::Features features = (*driver)->features();
    handler->mutable_features()->set_recursive_read_only_mounts(features.recursive_read_only);
    handler->mutable_features()->set_user_namespaces(features.user_namespaces);
  }
  response->mutable_features()->set_supplemental_groups_policy(true);
  response->mutable_features()->set_mount_options(true);
  if (request.verbose()) {
    auto& info = *response->mutable_info();
    info["config"] = Describe(context, version.ok() ? *version : "");
    info["network"] = context.node.network->Describe();
  } else {
    context.kept_status.Keep(version.ok(), grpcserver::Serialized(*response));
  }
  return absl::OkStatus();
}

Encoded KeptStatus(RpcContext& context) {
  return context.kept_status.Get(context.containerd->LastVersion().ok());
}

}  // namespace crisp::cri::rpc

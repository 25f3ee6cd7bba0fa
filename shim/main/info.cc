#include "shim/main/info.h"

#include <nlohmann/json.hpp>

#include "base/version.h"
#include "seccomp/filter.h"
#include "shim/launch/mount_options.h"
#include "shim/launch/spec_reader.h"

namespace crisp::shim {
namespace {

constexpr char kFeaturesType[] =
    "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

// Lists are asked of who reads what they list.
nlohmann::json Features() {
  const nlohmann::json yes = {{"enabled", true}}, no = {{"enabled", false}};
  return {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", "1.2.0"},
      {"hooks", HookNames()},
      {"mountOptions", MountOptionNames()},
      {"linux",
       {{"namespaces", NamespaceNames()},
        {"cgroup",
         {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}}},
        {"seccomp",
         {{"enabled", true},
          {"actions", SeccompActionNames()},
          {"operators", SeccompOperatorNames()}}},
        {"apparmor", yes},
        {"selinux", yes},
        {"intelRdt", no},
        {"mountExtensions", {{"idmap", yes}}}}}};
}

}  // namespace

wire::RuntimeInfo Info() {
  wire::RuntimeInfo info;
  info.set_name("io.containerd.crisp.v1");
  info.mutable_version()->set_version(kCrispVersion);
  info.mutable_features()->set_type_url(kFeaturesType);
  info.mutable_features()->set_value(Features().dump());
  return info;
}

}  // namespace crisp::shim

#include "shim/main/info.h"

#include "base/version.h"

namespace crisp::shim {
namespace {

constexpr char kFeaturesType[] =
    "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

// What shim/launch carries out.
constexpr char kFeatures[] = R"({
"ociVersionMin":"1.0.0","ociVersionMax":"1.2.0",
"hooks":["prestart","createRuntime","createContainer","startContainer","poststart","poststop"],
"mountOptions":["async","atime","bind","defaults","dev","diratime","dirsync","exec","idmap",
"lazytime","noatime","nodev","nodiratime","noexec","nolazytime","norelatime","nostrictatime",
"nosuid","nosymfollow","private","ratime","rbind","rdev","rdiratime","relatime","rexec","ridmap",
"rnoatime","rnodev","rnodiratime","rnoexec","rnorelatime","rnostrictatime","rnosuid",
"rnosymfollow","ro","rprivate","rrelatime","rro","rrw","rshared","rslave","rstrictatime","rsuid",
"rsymfollow","runbindable","rw","shared","slave","strictatime","suid","symfollow","sync",
"unbindable"],
"linux":{
"namespaces":["cgroup","ipc","mount","network","pid","time","user","uts"],
"cgroup":{"v1":true,"v2":true,"systemd":false,"systemdUser":false,"rdma":true},
"seccomp":{"enabled":true,
"actions":["SCMP_ACT_ALLOW","SCMP_ACT_ERRNO","SCMP_ACT_KILL","SCMP_ACT_KILL_PROCESS",
"SCMP_ACT_KILL_THREAD","SCMP_ACT_LOG","SCMP_ACT_TRACE","SCMP_ACT_TRAP"],
"operators":["SCMP_CMP_EQ","SCMP_CMP_GE","SCMP_CMP_GT","SCMP_CMP_LE","SCMP_CMP_LT",
"SCMP_CMP_MASKED_EQ","SCMP_CMP_NE"]},
"apparmor":{"enabled":true},"selinux":{"enabled":true},"intelRdt":{"enabled":false},
"mountExtensions":{"idmap":{"enabled":true}}}})";

}  // namespace

wire::RuntimeInfo Info() {
  wire::RuntimeInfo info;
  info.set_name("io.containerd.crisp.v1");
  info.mutable_version()->set_version(kCrispVersion);
  info.mutable_features()->set_type_url(kFeaturesType);
  info.mutable_features()->set_value(kFeatures);
  return info;
}

}  // namespace crisp::shim

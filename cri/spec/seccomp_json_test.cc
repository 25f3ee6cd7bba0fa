#include "cri/spec/seccomp_json.h"

#include <string>

#include "base/status_matchers.h"
#include "cri/spec/capabilities.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

SeccompSubject Subject(const char* capability = nullptr) {
  SeccompSubject subject{0, 5, 15};
  if (capability != nullptr) subject.capabilities = uint64_t{1} << CapabilityByName(capability);
  return subject;
}

TEST(NormalizeSeccomp, OciPassesThrough) {
  const Json profile = Json::parse(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64"], "comment": "dropped",
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": "dropped"}]})");
  ASSERT_OK_AND_ASSIGN(const Json out, NormalizeSeccomp(profile, Subject()));
  EXPECT_EQ(out, Json::parse(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]})"));
}

#if defined(__x86_64__)
TEST(NormalizeSeccomp, DockerRulesAreDecidedHere) {
  const Json profile = Json::parse(R"({
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [
      {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
      {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
    "syscalls": [
      {"name": "read", "action": "SCMP_ACT_ALLOW", "args": null},
      {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
      {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
      {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
      {"names": ["mseal"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.10"}},
      {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
      {"names": ["set_tls"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm"]}}]})");
  const auto names = [](const Json& out) {
    std::string text;
    for (const Json& call : out["syscalls"]) text += call["names"][0].get<std::string>() + " ";
    return text;
  };
  ASSERT_OK_AND_ASSIGN(Json out, NormalizeSeccomp(profile, Subject()));
  EXPECT_EQ(out["architectures"], Json({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}));
  EXPECT_EQ(names(out), "read clone ptrace arch_prctl ");
  ASSERT_OK_AND_ASSIGN(out, NormalizeSeccomp(profile, Subject("SYS_ADMIN")));
  EXPECT_EQ(names(out), "read bpf ptrace arch_prctl ");
}
#endif

TEST(NormalizeSeccomp, RefusesOtherShapes) {
  for (const char* bad : {
           R"([])",
           R"({"syscalls": {}})",
           R"({"syscalls": [1]})",
           R"({"architectures": ["A"], "archMap": []})",
           R"({"archMap": {}})",
           R"({"architectures": [1]})",
           R"({"syscalls": [{"name": "a", "names": ["b"]}]})",
           R"({"syscalls": [{"names": ["b"], "includes": []}]})",
           R"({"syscalls": [{"names": ["b"], "includes": {"minKernel": "new"}}]})",
       }) {
    EXPECT_THAT(NormalizeSeccomp(Json::parse(bad), Subject()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("seccomp profile")))
        << bad;
  }
}

}  // namespace
}  // namespace crisp::cri

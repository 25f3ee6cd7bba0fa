#include "cri/spec/lsm.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerSecurityContext;
using runtime::v1::SecurityProfile;
using ::testing::HasSubstr;

TEST(ApparmorProfile, AHostWithoutItRefusesOnlyWhatIsNamed) {
  LinuxContainerSecurityContext security;
  EXPECT_THAT(ApparmorProfile(security, {}, "std"), IsOkAndHolds(""));
  security.mutable_apparmor()->set_profile_type(SecurityProfile::RuntimeDefault);
  EXPECT_THAT(ApparmorProfile(security, {}, "std"), IsOkAndHolds(""));
  security.mutable_apparmor()->set_profile_type(SecurityProfile::Localhost);
  EXPECT_THAT(ApparmorProfile(security, {}, "std"), StatusIs(absl::StatusCode::kInvalidArgument));
  security.mutable_apparmor()->set_localhost_ref("strict");
  EXPECT_THAT(ApparmorProfile(security, {}, "std"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("apparmor.localhost_ref: profile \"strict\"")));
}

TEST(ApparmorProfile, TheDefaultIsTheRuntimes) {
  HostFacts host;
  host.apparmor = true;
  LinuxContainerSecurityContext security;
  EXPECT_THAT(ApparmorProfile(security, host, "std"), IsOkAndHolds("std"));
  security.set_privileged(true);
  EXPECT_THAT(ApparmorProfile(security, host, "std"), IsOkAndHolds(""));
  security.mutable_apparmor();  // Said, so it counts even when privileged.
  EXPECT_THAT(ApparmorProfile(security, host, "std"), IsOkAndHolds("std"));
  security.mutable_apparmor()->set_profile_type(SecurityProfile::Unconfined);
  EXPECT_THAT(ApparmorProfile(security, host, "std"), IsOkAndHolds(""));
}

TEST(ApparmorProfile, ADefaultThatIsNotLoadedIsRefusedToWhoAsksForIt) {
  HostFacts host;
  host.apparmor = true;
  LinuxContainerSecurityContext security;
  EXPECT_THAT(ApparmorProfile(security, host, ""), IsOkAndHolds(""));
  security.mutable_apparmor()->set_profile_type(SecurityProfile::RuntimeDefault);
  EXPECT_THAT(ApparmorProfile(security, host, ""),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("default profile")));
}

TEST(SelinuxLabelsOf, OnlyWhereThereIsSelinux) {
  LinuxContainerSecurityContext security;
  security.mutable_selinux_options()->set_level("s0:c1,c2");
  ASSERT_OK_AND_ASSIGN(SelinuxLabels labels, SelinuxLabelsOf(security, {}, {}));
  EXPECT_EQ(labels.process, "");
  HostFacts host;
  host.selinux = true;
  ASSERT_OK_AND_ASSIGN(labels, SelinuxLabelsOf(security, {}, host));
  EXPECT_EQ(labels.process, "system_u:system_r:container_t:s0:c1,c2");
  EXPECT_EQ(labels.mount, "system_u:object_r:container_file_t:s0:c1,c2");
  security.mutable_selinux_options()->set_type("a:b");
  EXPECT_THAT(SelinuxLabelsOf(security, {}, host),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("selinux_options.type")));
}

}  // namespace
}  // namespace crisp::cri

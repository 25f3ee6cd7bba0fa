#include "cri/spec/host_facts.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(ParseKernelRelease, ReadsTheFirstTwoNumbers) {
  HostFacts host;
  ASSERT_OK(ParseKernelRelease("6.1.0-13-amd64", &host));
  EXPECT_EQ(host.kernel_major, 6);
  EXPECT_EQ(host.kernel_minor, 1);
  ASSERT_OK(ParseKernelRelease("5.15-rc2", &host));
  EXPECT_EQ(host.kernel_minor, 15);
  EXPECT_TRUE(host.kernel_at_least(5, 12));
  EXPECT_TRUE(host.kernel_at_least(4, 20));
  EXPECT_FALSE(host.kernel_at_least(6, 0));
  EXPECT_FALSE(ParseKernelRelease("six", &host).ok());
  EXPECT_FALSE(ParseKernelRelease("6", &host).ok());
  EXPECT_FALSE(ParseKernelRelease("", &host).ok());
}

TEST(ClampOomScoreAdj, StaysAtOurOwnWithoutThePrivilege) {
  HostFacts host;
  host.oom_score_adj = 100;
  EXPECT_EQ(ClampOomScoreAdj(-998, host), 100);
  EXPECT_EQ(ClampOomScoreAdj(500, host), 500);
  host.can_raise_limits = true;
  EXPECT_EQ(ClampOomScoreAdj(-998, host), -998);
}

TEST(ProbeHostFacts, DescribesThisMachine) {
  ASSERT_OK_AND_ASSIGN(const HostFacts host, ProbeHostFacts());
  EXPECT_GE(host.kernel_major, 5);
  EXPECT_TRUE(host.seccomp);
  EXPECT_GT(host.nofile_hard, 0u);
}

}  // namespace
}  // namespace crisp::cri

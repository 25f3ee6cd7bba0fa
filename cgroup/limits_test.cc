// On the hierarchies of this host, whatever they are.
#include "cgroup/limits.h"

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_matchers.h"
#include "cgroup/cgroup.h"

namespace crisp::cgroup {
namespace {

class LimitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto hosts = Hierarchies::Probe();
    if (!hosts.ok()) GTEST_SKIP() << hosts.status();
    hosts_ = *hosts;
    path_ = absl::StrCat("/crisp-test-", RandomHex(8));
    ASSERT_OK_AND_ASSIGN(const Cgroup made, Cgroup::Create(hosts_, path_, {}));
  }
  void TearDown() override {
    if (const auto made = Cgroup::Open(hosts_, path_); made.ok()) {
      EXPECT_OK(made->Remove());
    }
  }

  Hierarchies hosts_;
  std::string path_;
};

TEST_F(LimitsTest, WhatWasWrittenReadsBack) {
  Resources wanted;
  wanted.memory_limit = 64 << 20;
  wanted.cpu_shares = 1000;
  wanted.cpu_quota = 20000;
  wanted.cpu_period = 50000;
  ASSERT_OK_AND_ASSIGN(const Cgroup group, Cgroup::Open(hosts_, path_));
  ASSERT_OK(group.Update(wanted));
  ASSERT_OK_AND_ASSIGN(const Resources now, ReadLimits(hosts_, path_, wanted));
  EXPECT_EQ(now.memory_limit, 64 << 20);
  EXPECT_EQ(now.cpu_shares, 1000u);
  EXPECT_EQ(now.cpu_quota, 20000);
  EXPECT_EQ(now.cpu_period, 50000u);
}

TEST_F(LimitsTest, WhatIsReadCanBeWrittenBack) {
  ASSERT_OK_AND_ASSIGN(const Resources before, ReadLimits(hosts_, path_, {}));
  EXPECT_EQ(before.memory_limit, -1);
  EXPECT_EQ(before.cpu_quota, -1);
  Resources changed;
  changed.memory_limit = 32 << 20;
  changed.cpu_quota = 10000;
  changed.cpu_shares = 2;
  ASSERT_OK_AND_ASSIGN(const Cgroup group, Cgroup::Open(hosts_, path_));
  ASSERT_OK(group.Update(changed));
  ASSERT_OK(group.Update(before));
  ASSERT_OK_AND_ASSIGN(const Resources after, ReadLimits(hosts_, path_, before));
  EXPECT_EQ(after.memory_limit, -1);
  EXPECT_EQ(after.cpu_quota, -1);
  EXPECT_EQ(after.cpu_shares, before.cpu_shares);
}

TEST_F(LimitsTest, ACgroupThatIsGoneIsNotFound) {
  EXPECT_THAT(ReadLimits(hosts_, path_ + "-gone", {}), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace crisp::cgroup

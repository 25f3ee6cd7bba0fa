#include "netns/net_ns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "netns/in_netns.h"
#include "netns/rtnl.h"
#include "netns/testing/fake_plugin.h"
#include "netns/testing/private_host.h"

namespace crisp::netns {
namespace {

constexpr char kId[] = "0123456789abcdef";

class NetNsTest : public testing::TestWithParam<unsigned long> {
 protected:
  void SetUp() override {
    CRISP_SKIP_WITHOUT_PRIVATE_HOST();
    dir_ = FreshDir("netns");
    // A mount of its own, so that each kind of propagation can be tried.
    ASSERT_EQ(::mount("none", dir_.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_EQ(::mount("none", dir_.c_str(), nullptr, GetParam(), nullptr), 0);
  }
  void TearDown() override {
    if (!dir_.empty()) ::umount2(dir_.c_str(), MNT_DETACH);
  }
  std::string dir_;
};

INSTANTIATE_TEST_SUITE_P(Propagation, NetNsTest, testing::Values(MS_SHARED, MS_PRIVATE));

TEST_P(NetNsTest, PinsANamespaceOfItsOwnWithLoopbackUp) {
  ASSERT_OK_AND_ASSIGN(const NetNs ns, NetNs::Create(dir_ + "/deep/er", kId));
  EXPECT_EQ(ns.path(), NetNs::PathFor(dir_ + "/deep/er", kId));
  EXPECT_TRUE(NetNs::IsPinned(ns.path()));
  struct stat pinned, own;
  ASSERT_EQ(::stat(ns.path().c_str(), &pinned), 0);
  ASSERT_EQ(::stat("/proc/self/ns/net", &own), 0);
  EXPECT_NE(pinned.st_ino, own.st_ino);
  EXPECT_OK(RunInNetNs(ns.path(), []() -> absl::Status {
    CRISP_ASSIGN_OR_RETURN(Rtnl rtnl, Rtnl::Open());
    CRISP_ASSIGN_OR_RETURN(const auto links, rtnl.Links());
    if (links.size() != 1 || links[0].name != "lo" || !links[0].up) {
      return absl::InternalError("want exactly lo, up");
    }
    return absl::OkStatus();
  }));
  EXPECT_OK(NetNs::Remove(ns.path()));
  EXPECT_NE(::stat(ns.path().c_str(), &pinned), 0);
}

TEST_P(NetNsTest, DoesNotReplaceAPinnedNamespace) {
  ASSERT_OK(NetNs::Create(dir_, kId).status());
  EXPECT_THAT(NetNs::Create(dir_, kId), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_OK(NetNs::Remove(NetNs::PathFor(dir_, kId)));
}

TEST_P(NetNsTest, TakesOverAFileWithoutAMount) {
  ASSERT_OK(WriteFileAtomic(NetNs::PathFor(dir_, kId), "", 0444));
  ASSERT_OK_AND_ASSIGN(const NetNs ns, NetNs::Create(dir_, kId));
  EXPECT_TRUE(NetNs::IsPinned(ns.path()));
  EXPECT_OK(NetNs::Remove(ns.path()));
}

TEST_P(NetNsTest, RemoveToleratesWhatOthersDid) {
  const std::string path = NetNs::PathFor(dir_, kId);
  EXPECT_OK(NetNs::Remove(path));
  ASSERT_OK(NetNs::Create(dir_, kId).status());
  ASSERT_EQ(::umount(path.c_str()), 0);
  EXPECT_FALSE(NetNs::IsPinned(path));
  EXPECT_OK(NetNs::Remove(path));
  EXPECT_OK(NetNs::Remove(path));
}

TEST_P(NetNsTest, RefusesAnIdThatIsAPath) {
  EXPECT_THAT(NetNs::Create(dir_, "../x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(RunInNetNsTest, ReportsANamespaceThatIsGone) {
  EXPECT_THAT(RunInNetNs("/nowhere/at/all", [] { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace crisp::netns

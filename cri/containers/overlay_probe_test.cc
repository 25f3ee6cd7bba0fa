#include "cri/containers/overlay_probe.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

class OverlayProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it mounts";
    // What is mounted here goes with the test.
    if (::unshare(CLONE_NEWNS) != 0) GTEST_SKIP() << "cannot make a mount namespace";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::string pattern = JoinPath(::testing::TempDir(), "probe.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_EQ(::mount("tmpfs", dir_.c_str(), "tmpfs", 0, nullptr), 0);
  }
  void TearDown() override {
    if (dir_.empty()) return;
    EXPECT_EQ(::umount2(dir_.c_str(), MNT_DETACH), 0);
    EXPECT_EQ(::rmdir(dir_.c_str()), 0);
  }
  std::string Dir(const std::string& name) {
    EXPECT_OK(MakeDirs(JoinPath(dir_, name), 0755));
    return JoinPath(dir_, name);
  }
  std::string dir_;
};

TEST_F(OverlayProbeTest, AnOrdinaryFilesystemCan) {
  EXPECT_OK(ProbeOverlayUpper(dir_));
  EXPECT_OK(ProbeOverlayUpper(dir_));
  EXPECT_NE(::access(JoinPath(dir_, ".probe").c_str(), F_OK), 0);
}

TEST_F(OverlayProbeTest, AnotherOverlayCannot) {
  const std::string options =
      absl::StrCat("lowerdir=", Dir("lower"), ",upperdir=", Dir("upper"), ",workdir=", Dir("work"));
  const std::string merged = Dir("merged");
  ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), 0);
  EXPECT_FALSE(ProbeOverlayUpper(merged).ok());
  EXPECT_NE(::access(JoinPath(merged, ".probe").c_str(), F_OK), 0);
}

TEST_F(OverlayProbeTest, AReadOnlyOneCannot) {
  ASSERT_EQ(::mount(nullptr, dir_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_EQ(ErrnoOf(ProbeOverlayUpper(dir_)), EROFS);
}

}  // namespace
}  // namespace crisp::cri

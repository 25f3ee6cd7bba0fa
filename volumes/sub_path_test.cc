#include "volumes/sub_path.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "volumes/mounts.h"
#include "volumes/temp_dir.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SubPathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = dir_.path() + "/volume";
    pod_ = dir_.path() + "/pod";
    fs::create_directory(root_);
    fs::create_directory(pod_);
    ASSERT_EQ(::chmod(root_.c_str(), 0777), 0);
    ASSERT_OK_AND_ASSIGN(root_fd_, OpenDir(root_));
    ASSERT_OK_AND_ASSIGN(pod_fd_, OpenDir(pod_));
  }
  int OpenErrno(const std::string& path, bool make = false) {
    return ErrnoOf(OpenSubPath(root_fd_.get(), path, make).status());
  }
  mode_t Mode(const std::string& path) {
    struct stat st = {};
    EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
    return st.st_mode & 07777;
  }

  TempDir dir_;
  std::string root_, pod_;
  UniqueFd root_fd_, pod_fd_;
};

TEST_F(SubPathTest, OpensAnyKindOfFileWithoutHanging) {
  fs::create_directories(root_ + "/d/e");
  Spill(root_ + "/d/f", "x");
  ASSERT_EQ(::mkfifo((root_ + "/fifo").c_str(), 0600), 0);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (root_ + "/sock").c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (const char* path : {"d", "d/e", "d/f", "fifo", "sock"}) {
    EXPECT_EQ(OpenErrno(path), 0) << path;
  }
  EXPECT_EQ(OpenErrno("fifo/x", true), ENOTDIR);
  EXPECT_EQ(OpenErrno("d/f/x", true), ENOTDIR);
}

TEST_F(SubPathTest, LinksAreFollowedOnlyInside) {
  fs::create_directories(root_ + "/d/e");
  fs::create_symlink("d", root_ + "/inside");
  fs::create_symlink("../d/e", root_ + "/d/up");
  fs::create_symlink("..", root_ + "/out");
  fs::create_symlink("/", root_ + "/slash");
  fs::create_symlink(root_ + "/d", root_ + "/absolute");
  fs::create_symlink("nowhere", root_ + "/dangling");
  fs::create_symlink("loop", root_ + "/loop");
  fs::create_symlink("/proc/self/root", root_ + "/magic");
  EXPECT_EQ(OpenErrno("inside/e"), 0);
  EXPECT_EQ(OpenErrno("d/up"), 0);
  for (const char* path :
       {"out", "out/x", "slash", "slash/etc", "absolute", "magic", "magic/etc"}) {
    EXPECT_EQ(OpenErrno(path), EXDEV) << path;
    EXPECT_EQ(OpenErrno(path, true), EXDEV) << path;
  }
  EXPECT_EQ(OpenErrno("loop"), ELOOP);
  EXPECT_EQ(OpenErrno("dangling"), ENOENT);
  EXPECT_EQ(OpenErrno("dangling", true), ELOOP);
  EXPECT_EQ(OpenErrno("dangling/x", true), ELOOP);
  EXPECT_FALSE(fs::exists(root_ + "/nowhere"));
}

TEST_F(SubPathTest, MakesDirectoriesWithTheModeOfTheRoot) {
  for (const mode_t mode : {0777, 0755, 02770, 01777}) {
    ASSERT_EQ(::chmod(root_.c_str(), mode), 0);
    const std::string top = "m" + std::to_string(mode);
    const mode_t umask = ::umask(077);
    EXPECT_EQ(OpenErrno(top + "/b/c", true), 0);
    ::umask(umask);
    for (const char* below : {"", "/b", "/b/c"}) {
      EXPECT_EQ(Mode(root_ + "/" + top + below), mode) << below;
    }
  }
}

TEST_F(SubPathTest, LeavesWhatExistsAsItIs) {
  fs::create_directory(root_ + "/d");
  ASSERT_EQ(::chmod((root_ + "/d").c_str(), 0700), 0);
  fs::create_symlink("d", root_ + "/l");
  EXPECT_EQ(OpenErrno("l/new", true), 0);
  EXPECT_EQ(Mode(root_ + "/d"), 0700u);
  EXPECT_EQ(Mode(root_ + "/d/new"), 0777u);
}

TEST_F(SubPathTest, ReadOnlyVolumesAreNotWrittenTo) {
  EXPECT_EQ(OpenErrno("d", false), ENOENT);
  EXPECT_FALSE(fs::exists(root_ + "/d"));
}

TEST_F(SubPathTest, ManyMakeTheSameDirectoryAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      if (!OpenSubPath(root_fd_.get(), "a/b/c/d", true).ok()) ++failures;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  int entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    EXPECT_EQ(Mode(entry.path()), 0777u);
    ++entries;
  }
  EXPECT_EQ(entries, 4);
}

class SubPathMountTest : public SubPathTest {
 protected:
  void SetUp() override {
    if (const std::string why = EnterPrivateMounts(); !why.empty()) GTEST_SKIP() << why;
    SubPathTest::SetUp();
  }
  void TearDown() override {
    if (pod_fd_.ok()) {
      EXPECT_OK(RemoveSubPaths(pod_fd_.get(), ""));
    }
    EXPECT_FALSE(fs::exists(pod_ + "/volume-subpaths"));
    EXPECT_EQ(MountsBelow(pod_), 0);
  }
  static int MountsBelow(const std::string& path) {
    auto mounts = ReadMountInfo();
    int count = 0;
    for (const MountInfo& mount : *mounts) {
      if (mount.mount_point.compare(0, path.size(), path) == 0) ++count;
    }
    return count;
  }
  absl::StatusOr<SubPathMount> Bind(const std::string& path, const SubPathPlace& place,
                                    bool read_only = false) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd source, OpenSubPath(root_fd_.get(), path, false));
    return BindSubPath(pod_fd_.get(), place, source.get(), "private", read_only);
  }
};

TEST_F(SubPathMountTest, BindsAFileAndADirectory) {
  Spill(root_ + "/f", "hello");
  fs::create_directory(root_ + "/d");
  Spill(root_ + "/d/x", "below");
  ASSERT_OK_AND_ASSIGN(SubPathMount file, Bind("f", {"vol", "c1", 0}));
  EXPECT_TRUE(file.is_file);
  EXPECT_EQ(file.relative_path, "volume-subpaths/vol/c1/0");
  EXPECT_EQ(Slurp(pod_ + "/" + file.relative_path), "hello");
  ASSERT_OK_AND_ASSIGN(SubPathMount dir, Bind("d", {"vol", "c1", 1}, /*read_only=*/true));
  EXPECT_FALSE(dir.is_file);
  EXPECT_EQ(Slurp(pod_ + "/" + dir.relative_path + "/x"), "below");
  EXPECT_EQ(::open((pod_ + "/" + dir.relative_path + "/y").c_str(), O_CREAT | O_WRONLY, 0600), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(MountsBelow(pod_), 2);
}

TEST_F(SubPathMountTest, AnotherCallReusesOrReplaces) {
  Spill(root_ + "/f", "one");
  ASSERT_OK(Bind("f", {"vol", "c1", 0}));
  ASSERT_OK(Bind("f", {"vol", "c1", 0}));
  EXPECT_EQ(MountsBelow(pod_), 1);
  Spill(root_ + "/g", "two");
  ASSERT_OK(Bind("g", {"vol", "c1", 0}));
  EXPECT_EQ(MountsBelow(pod_), 1);
  EXPECT_EQ(Slurp(pod_ + "/volume-subpaths/vol/c1/0"), "two");
  fs::create_directory(root_ + "/d");
  ASSERT_OK(Bind("d", {"vol", "c1", 0}));
  EXPECT_TRUE(fs::is_directory(pod_ + "/volume-subpaths/vol/c1/0"));
  EXPECT_EQ(MountsBelow(pod_), 1);
}

TEST_F(SubPathMountTest, AHalfMadePlaceholderIsFinished) {
  fs::create_directories(pod_ + "/volume-subpaths/vol/c1/0");  // A directory, for a file.
  Spill(root_ + "/f", "one");
  ASSERT_OK(Bind("f", {"vol", "c1", 0}));
  EXPECT_EQ(Slurp(pod_ + "/volume-subpaths/vol/c1/0"), "one");
}

TEST_F(SubPathMountTest, RemovesOneContainerAndKeepsTheVolume) {
  fs::create_directory(root_ + "/d");
  Spill(root_ + "/d/x", "data");
  ASSERT_OK(Bind("d", {"vol", "c1", 0}));
  ASSERT_OK(Bind("d", {"vol", "c2", 0}));
  EXPECT_OK(RemoveSubPaths(pod_fd_.get(), "c1"));
  EXPECT_OK(RemoveSubPaths(pod_fd_.get(), "c1"));
  EXPECT_FALSE(fs::exists(pod_ + "/volume-subpaths/vol/c1"));
  EXPECT_EQ(Slurp(pod_ + "/volume-subpaths/vol/c2/0/x"), "data");
  EXPECT_OK(RemoveSubPaths(pod_fd_.get(), ""));
  EXPECT_EQ(Slurp(root_ + "/d/x"), "data");
}

TEST_F(SubPathMountTest, StackedMountsAllGo) {
  fs::create_directory(root_ + "/d");
  ASSERT_OK(Bind("d", {"vol", "c1", 0}));
  const std::string place = pod_ + "/volume-subpaths/vol/c1/0";
  ASSERT_EQ(::mount(root_.c_str(), place.c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_OK(RemoveSubPaths(pod_fd_.get(), ""));
}

TEST_F(SubPathMountTest, AFileWhereAContainerIsExpectedIsAnErrorAndStays) {
  fs::create_directories(pod_ + "/volume-subpaths/vol");
  Spill(pod_ + "/volume-subpaths/vol/odd", "x");
  EXPECT_FALSE(RemoveSubPaths(pod_fd_.get(), "").ok());
  EXPECT_EQ(Slurp(pod_ + "/volume-subpaths/vol/odd"), "x");
  fs::remove(pod_ + "/volume-subpaths/vol/odd");
}

TEST_F(SubPathMountTest, ContentUnlistedLaterStays) {
  Spill(root_ + "/f", "old");
  ASSERT_OK(Bind("f", {"vol", "c1", 0}));
  fs::remove(root_ + "/f");
  Spill(root_ + "/f", "new");
  EXPECT_EQ(Slurp(pod_ + "/volume-subpaths/vol/c1/0"), "old");
}

// A bind made below a shared mount must not become shared itself.
TEST_F(SubPathMountTest, StaysPrivateBelowASharedMount) {
  ASSERT_EQ(::mount(pod_.c_str(), pod_.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, pod_.c_str(), nullptr, MS_SHARED, nullptr), 0);
  ASSERT_OK_AND_ASSIGN(pod_fd_, OpenDir(pod_));
  Spill(root_ + "/f", "x");
  ASSERT_OK(Bind("f", {"vol", "c1", 0}));
  ASSERT_OK_AND_ASSIGN(const std::vector<MountInfo> mounts, ReadMountInfo());
  const MountInfo* mount = MountOf(mounts, pod_ + "/volume-subpaths/vol/c1/0");
  ASSERT_NE(mount, nullptr);
  EXPECT_EQ(mount->mount_point, pod_ + "/volume-subpaths/vol/c1/0");
  EXPECT_FALSE(mount->shared());
  EXPECT_OK(RemoveSubPaths(pod_fd_.get(), ""));
  pod_fd_.reset();
  ASSERT_EQ(::umount2(pod_.c_str(), MNT_DETACH), 0);
}

// CVE-2017-1002101 and CVE-2021-25741: a container swaps a directory for a link
// while its subPath is being resolved, made and bound.
TEST_F(SubPathMountTest, ASwappedLinkNeverEscapes) {
  fs::create_directories(root_ + "/x/etc");
  Spill(root_ + "/x/marker", "inside");
  fs::create_symlink("/", root_ + "/evil");
  std::atomic<bool> done = false;
  std::thread attacker([&] {
    const std::string a = root_ + "/x";
    const std::string b = root_ + "/evil";
    while (!done.load()) {
      (void)::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
    }
  });
  const std::string host_dir = "/crisp-must-not-exist-" + std::to_string(::getpid());
  int bound = 0;
  int refused = 0;
  int escaped = 0;
  for (int i = 0; i < 2000; ++i) {
    // Both the plain lookup and the one that makes directories.
    auto source = OpenSubPath(root_fd_.get(), "x", true);
    if (!source.ok()) {
      ++refused;
    } else {
      const auto mount =
          BindSubPath(pod_fd_.get(), {"vol", "c1", 0}, source->get(), "private", false);
      ASSERT_OK(mount);
      ++bound;
      if (Slurp(pod_ + "/" + mount->relative_path + "/marker") != "inside") ++escaped;
    }
    (void)OpenSubPath(root_fd_.get(), "x" + host_dir + "/deeper", true);
    if (fs::exists(host_dir)) ++escaped;
  }
  done = true;
  attacker.join();
  EXPECT_EQ(escaped, 0);
  // Otherwise the race was not one.
  EXPECT_GT(bound, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace crisp::volumes

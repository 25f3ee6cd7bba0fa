#include "cri/containerd/test_containerd.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

constexpr char kBinary[] = "/usr/bin/containerd";

}  // namespace

std::string TestContainerd::WhyNot() {
  if (::geteuid() != 0) return "containerd needs root";
  if (::access(kBinary, X_OK) != 0) return absl::StrCat(kBinary, " is not installed");
  return "";
}

std::unique_ptr<TestContainerd> TestContainerd::Start() {
  if (!WhyNot().empty()) return nullptr;
  // Not below TEST_TMPDIR: a socket's path has room for 107 bytes.
  std::string dir = "/tmp/crisp-ctrd-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) {
    ADD_FAILURE() << "mkdtemp " << dir;
    return nullptr;
  }
  std::unique_ptr<TestContainerd> daemon(new TestContainerd(dir));
  absl::StatusOr<std::unique_ptr<ManagedContainerd>> managed =
      ManagedContainerd::Start(daemon->options());
  EXPECT_OK(managed.status());
  if (!managed.ok()) return nullptr;
  daemon->managed_ = *std::move(managed);
  return daemon;
}

TestContainerd::~TestContainerd() {
  if (managed_ != nullptr) {
    EXPECT_OK(managed_->Stop());
  }
  managed_.reset();
  const absl::StatusOr<std::vector<MountInfo>> mounts = ReadMountInfo();
  EXPECT_OK(mounts.status());
  if (mounts.ok()) {
    for (auto mount = mounts->rbegin(); mount != mounts->rend(); ++mount) {
      if (!absl::StartsWith(mount->mount_point, absl::StrCat(dir_, "/"))) continue;
      ADD_FAILURE() << "left mounted: " << mount->mount_point;
      (void)::umount2(mount->mount_point.c_str(), MNT_DETACH);
    }
  }
  EXPECT_OK(RemoveTree(dir_));
}

ManagedContainerd::Options TestContainerd::options() const {
  ManagedContainerd::Options options;
  options.root_dir = JoinPath(dir_, "root");
  options.state_dir = JoinPath(dir_, "state");
  options.binary = kBinary;
  return options;
}

std::unique_ptr<Containerd> TestContainerd::Connect(const std::string& ns) {
  absl::StatusOr<std::unique_ptr<Containerd>> containerd =
      Containerd::Connect(JoinPath(options().state_dir, "containerd.sock"), ns);
  EXPECT_OK(containerd.status());
  if (!containerd.ok()) return nullptr;
  EXPECT_OK((*containerd)->WaitReady(absl::Seconds(20)));
  EXPECT_OK((*containerd)->UseSnapshotter(""));
  return *std::move(containerd);
}

}  // namespace crisp::cri

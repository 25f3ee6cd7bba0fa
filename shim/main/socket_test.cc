#include "shim/main/socket.h"

#include <sys/stat.h>

#include <cstdlib>

#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

class SocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Short: a socket's path has 107 bytes.
    std::string pattern = "/tmp/crisp-sock.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = JoinPath(dir_, "s/socket");
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::string dir_, path_;
};

TEST_F(SocketTest, TheFirstListensTheSecondFindsIt) {
  ASSERT_OK_AND_ASSIGN(UniqueFd first, ListenOrFind(path_));
  ASSERT_TRUE(first.ok());
  struct stat st;
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(JoinPath(dir_, "s").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700U);
  ASSERT_OK_AND_ASSIGN(const UniqueFd second, ListenOrFind(path_));
  EXPECT_FALSE(second.ok());
  first.reset();
  ASSERT_OK_AND_ASSIGN(const UniqueFd third, ListenOrFind(path_));
  EXPECT_TRUE(third.ok()) << "a dead shim's socket is replaced";
}

TEST_F(SocketTest, NamesTellApart) {
  const std::string one = SocketPath("/run/containerd/s", "/run/c.sock", "k8s.io", "pod");
  EXPECT_EQ(one.size(), sizeof("/run/containerd/s/") - 1 + 64);
  EXPECT_LT(one.size(), 106U);
  EXPECT_EQ(one, SocketPath("/run/containerd/s", "/run/c.sock", "k8s.io", "pod"));
  EXPECT_NE(one, SocketPath("/run/containerd/s", "/run/d.sock", "k8s.io", "pod"));
  EXPECT_NE(one, SocketPath("/run/containerd/s", "/run/c.sock", "moby", "pod"));
  EXPECT_NE(one, SocketPath("/run/containerd/s", "/run/c.sock", "k8s.io", "other"));
}

}  // namespace
}  // namespace crisp::shim

#include "netns/user_ns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "netns/net_ns.h"

namespace crisp::netns {
namespace {

ino_t InodeOf(int fd) {
  struct stat st = {};
  EXPECT_EQ(::fstat(fd, &st), 0);
  return st.st_ino;
}

TEST(UserNs, HasItsMapsAndOwnsItsNetwork) {
  ASSERT_OK_AND_ASSIGN(const UserNs users,
                       UserNs::Create({{{0, 100000, 65536}}, {{0, 200000, 1000}}}));
  const std::string proc = users.user_path().substr(0, users.user_path().find("/ns/"));
  EXPECT_EQ(*ReadFile(proc + "/uid_map"), "         0     100000      65536\n");
  EXPECT_EQ(*ReadFile(proc + "/gid_map"), "         0     200000       1000\n");

  const std::string dir = ::testing::TempDir() + "/userns-" + RandomHex(8);
  ASSERT_OK_AND_ASSIGN(const NetNs pinned, NetNs::Create(dir, "pod", users.net_path()));
  const UniqueFd net(::open(pinned.path().c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd owner(::ioctl(net.get(), NS_GET_USERNS));
  ASSERT_TRUE(owner.ok());
  ASSERT_OK_AND_ASSIGN(const UniqueFd user, users.OpenUser());
  EXPECT_EQ(InodeOf(owner.get()), InodeOf(user.get()));
  EXPECT_OK(NetNs::Remove(pinned.path()));
  EXPECT_OK(RemoveTree(dir));
}

TEST(UserNs, ItsProcessEndsWithIt) {
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(const UserNs users,
                         UserNs::Create({{{0, 100000, 65536}}, {{0, 100000, 65536}}}));
    path = users.user_path();
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  }
  EXPECT_EQ(::access(path.c_str(), F_OK), -1);
}

TEST(UserNs, MapsThatTheKernelRefusesLeaveNothing) {
  EXPECT_FALSE(UserNs::Create({{{0, 100000, 0}}, {{0, 100000, 65536}}}).ok());
  EXPECT_FALSE(UserNs::Create({{{0, 1, 10}, {5, 100, 10}}, {{0, 1, 10}}}).ok());
}

}  // namespace
}  // namespace crisp::netns

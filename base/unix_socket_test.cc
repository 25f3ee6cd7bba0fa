#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp {
namespace {

class UnixSocketTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(MakeDirs(directory_, 0700)); }
  void TearDown() override { EXPECT_OK(RemoveTree(directory_)); }

  // With `bytes` bytes.
  std::string PathOf(size_t bytes) const {
    const std::string path = directory_ + "/";
    return path + std::string(bytes - path.size(), 's');
  }

  const std::string directory_ = absl::StrCat("/tmp/crisp-unix.", RandomHex(8));
};

TEST_F(UnixSocketTest, ConnectsToWhoListens) {
  const std::string path = PathOf(kUnixPathBytes);
  EXPECT_EQ(ErrnoOf(ConnectUnix(path).status()), ENOENT);
  {
    ASSERT_OK_AND_ASSIGN(const UniqueFd listener, ListenUnix(path, 1));
    ASSERT_OK_AND_ASSIGN(const UniqueFd client, ConnectUnix(path));
    const UniqueFd served(::accept(listener.get(), nullptr, nullptr));
    EXPECT_THAT(PeerPid(client.get()), IsOkAndHolds(::getpid()));
    ASSERT_EQ(::write(client.get(), "x", 1), 1);
    char byte = 0;
    ASSERT_EQ(::read(served.get(), &byte, 1), 1);
    EXPECT_EQ(ErrnoOf(ListenUnix(path, 1).status()), EADDRINUSE);
  }
  EXPECT_EQ(ErrnoOf(ConnectUnix(path).status()), ECONNREFUSED);
}

TEST_F(UnixSocketTest, ALongPathIsAnErrorAndNotCut) {
  const std::string path = PathOf(kUnixPathBytes + 1);
  EXPECT_EQ(ErrnoOf(ListenUnix(path, 1).status()), ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(ConnectUnix(path).status()), ENAMETOOLONG);
  struct stat file = {};
  EXPECT_EQ(::stat(PathOf(kUnixPathBytes).c_str(), &file), -1);
}

TEST_F(UnixSocketTest, OnlyItsOwnerConnectsWhateverTheUmask) {
  const std::string path = PathOf(50);
  const mode_t before = ::umask(0);
  const auto listener = ListenUnix(path, 1);
  ::umask(before);
  ASSERT_OK(listener.status());
  struct stat file = {};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
}

TEST_F(UnixSocketTest, AFullQueueIsToldAtOnceIfAsked) {
  const std::string path = PathOf(50);
  ASSERT_OK_AND_ASSIGN(const UniqueFd listener, ListenUnix(path, 0));
  ASSERT_OK_AND_ASSIGN(const UniqueFd first, ConnectUnix(path, SOCK_NONBLOCK));
  EXPECT_EQ(ErrnoOf(ConnectUnix(path, SOCK_NONBLOCK).status()), EAGAIN);
}

}  // namespace
}  // namespace crisp

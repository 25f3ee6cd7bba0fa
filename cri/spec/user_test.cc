#include "cri/spec/user.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "app:x:1000:1001:App:/home/app:/bin/sh\n"
    "big:x:4294967296:0::/:/bin/sh\n"
    "wrap:x:4294967297:4294967297::/:/bin/sh\n"
    "minus:x:-1:0::/:/bin/sh\n"
    "4294967296:x:0:0::/:/bin/sh\n"
    "evilhome:x:1002:1002::/home/x\\n0:/bin/sh\n"
    "relhome:x:1003:1003::home:/bin/sh\n"
    "short:x\n"
    ":x:1:1::/:/bin/sh\n";
constexpr char kGroup[] =
    "root:x:0:\n"
    "app:x:1001:\n"
    "audio:x:29:app,other\n"
    "video:x:44:other\n"
    "huge:x:4294967296:app\n";

class UserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* base = std::getenv("TEST_TMPDIR");
    dir_ = std::string(base != nullptr ? base : "/tmp") + "/rootfs";
    ASSERT_OK(RemoveTree(dir_));
    ASSERT_OK(MakeDirs(dir_ + "/etc", 0755));
    Write("passwd", kPasswd);
    Write("group", kGroup);
    ASSERT_OK_AND_ASSIGN(root_, OpenDir(dir_));
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::string Etc(const std::string& name) const { return dir_ + "/etc/" + name; }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_OK(WriteFileAtomic(Etc(name), text, 0644));
  }
  void Unlink(const std::string& name) { ASSERT_EQ(::unlink(Etc(name).c_str()), 0); }

  absl::StatusOr<ResolvedUser> Image(const std::string& user) {
    return ResolveUser({}, user, root_.get());
  }

  std::string dir_;
  UniqueFd root_;
};

TEST(ParseId, TakesDigitsUpToTheLargestSigned) {
  EXPECT_THAT(ParseId("f", "0"), IsOkAndHolds(0u));
  EXPECT_THAT(ParseId("f", "2147483647"), IsOkAndHolds(2147483647u));
  for (const char* bad : {"", "2147483648", "4294967296", "99999999999999999999", "-1", "+0", "0x0",
                          " 0", "0 ", "1e3", "1.0", "\t1", "abc"}) {
    EXPECT_THAT(ParseId("f", bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("f: ")))
        << bad;
  }
}

TEST_F(UserTest, NumbersAreNeverNames) {
  for (const char* bad : {"2147483648", "4294967296", "-1", "+0", "0x0", " 0", "1:4294967296",
                          "1:-1", "1:+1", "1:", "1:0x1", "1abc", "1: 1"}) {
    EXPECT_THAT(Image(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST_F(UserTest, ResolvesTheImagesUser) {
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, Image("app"));
  EXPECT_EQ(user.uid, 1000u);
  EXPECT_EQ(user.gid, 1001u);
  EXPECT_EQ(user.home, "/home/app");
  EXPECT_THAT(user.additional_gids, ElementsAre(29, 1001));

  ASSERT_OK_AND_ASSIGN(user, Image("1000"));
  EXPECT_EQ(user.gid, 1001u);
  EXPECT_THAT(user.additional_gids, ElementsAre(29, 1001));

  ASSERT_OK_AND_ASSIGN(user, Image("app:audio"));
  EXPECT_EQ(user.gid, 29u);
  ASSERT_OK_AND_ASSIGN(user, Image("app:7"));
  EXPECT_THAT(user.additional_gids, ElementsAre(7, 29));

  ASSERT_OK_AND_ASSIGN(user, Image("4242"));
  EXPECT_EQ(user.uid, 4242u);
  EXPECT_EQ(user.gid, 0u);
  EXPECT_EQ(user.home, "/");

  ASSERT_OK_AND_ASSIGN(user, Image(""));
  EXPECT_EQ(user.uid, 0u);
  EXPECT_EQ(user.home, "/root");
}

TEST_F(UserTest, HostilePasswdLinesGiveNothing) {
  for (const char* name : {"big", "wrap", "minus", "short", "nobody", "app:huge", "app:nogroup"}) {
    EXPECT_THAT(Image(name), StatusIs(absl::StatusCode::kInvalidArgument)) << name;
  }
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, Image("evilhome"));
  EXPECT_EQ(user.home, "/");
  ASSERT_OK_AND_ASSIGN(user, Image("relhome"));
  EXPECT_EQ(user.home, "/");
  Write("passwd", std::string(128 << 10, 'a') + ":x:0:0::/:/bin/sh\napp:x:5:6::/h:/bin/sh\n");
  ASSERT_OK_AND_ASSIGN(user, Image("app"));
  EXPECT_EQ(user.uid, 5u);
}

TEST_F(UserTest, CriOverridesTheImage) {
  runtime::v1::LinuxContainerSecurityContext context;
  context.mutable_run_as_user()->set_value(5);
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, ResolveUser(context, "app:audio", root_.get()));
  EXPECT_EQ(user.uid, 5u);
  EXPECT_EQ(user.gid, 0u);

  context.mutable_run_as_group()->set_value(6);
  ASSERT_OK_AND_ASSIGN(user, ResolveUser(context, "app", root_.get()));
  EXPECT_EQ(user.gid, 6u);

  context.clear_run_as_user();
  EXPECT_THAT(ResolveUser(context, "app", root_.get()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("config.linux.security_context.run_as_group")));
  context.set_run_as_username("app");
  ASSERT_OK_AND_ASSIGN(user, ResolveUser(context, "", root_.get()));
  EXPECT_EQ(user.uid, 1000u);
  EXPECT_EQ(user.gid, 6u);

  context.mutable_run_as_user()->set_value(0);
  EXPECT_THAT(ResolveUser(context, "", root_.get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("run_as_username")));
  for (const int64_t bad : {int64_t{-1}, int64_t{2147483648}, int64_t{4294967296}}) {
    runtime::v1::LinuxContainerSecurityContext numbers;
    numbers.mutable_run_as_user()->set_value(bad);
    EXPECT_THAT(ResolveUser(numbers, "", root_.get()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("run_as_user")));
  }
}

TEST_F(UserTest, GroupsFollowThePolicy) {
  runtime::v1::LinuxContainerSecurityContext context;
  context.mutable_run_as_user()->set_value(1000);
  context.add_supplemental_groups(1234);
  context.add_supplemental_groups(1234);
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, ResolveUser(context, "", root_.get()));
  EXPECT_THAT(user.additional_gids, ElementsAre(29, 1001, 1234));
  context.set_supplemental_groups_policy(runtime::v1::Strict);
  ASSERT_OK_AND_ASSIGN(user, ResolveUser(context, "", root_.get()));
  EXPECT_THAT(user.additional_gids, ElementsAre(1001, 1234));
  context.add_supplemental_groups(-5);
  EXPECT_THAT(ResolveUser(context, "", root_.get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("supplemental_groups[2]")));
}

TEST_F(UserTest, DatabasesMustBeRegularAndBounded) {
  Unlink("passwd");
  ASSERT_EQ(::mkfifo(Etc("passwd").c_str(), 0644), 0);
  EXPECT_THAT(Image("1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  Unlink("passwd");
  ASSERT_EQ(::mkdir(Etc("passwd").c_str(), 0755), 0);
  EXPECT_THAT(Image("1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
  ASSERT_EQ(::rmdir(Etc("passwd").c_str()), 0);
  if (::mknod(Etc("passwd").c_str(), S_IFCHR | 0644, makedev(1, 5)) == 0) {  // zero: endless
    EXPECT_THAT(Image("1"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not a regular file")));
    Unlink("passwd");
  }
  Write("passwd", "");
  ASSERT_EQ(::truncate(Etc("passwd").c_str(), 1 << 30), 0);
  EXPECT_THAT(Image("1"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("10 MiB")));
}

TEST_F(UserTest, ASymlinkStaysInTheRootfs) {
  Unlink("passwd");
  ASSERT_EQ(::symlink("/etc/group", Etc("passwd").c_str()), 0);  // The image's, not the host's.
  Write("group", "inside:x:77:88\n");
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, Image("inside"));
  EXPECT_EQ(user.uid, 77u);
  Unlink("passwd");
  ASSERT_EQ(::symlink("../../../../../../etc/passwd", Etc("passwd").c_str()), 0);
  EXPECT_THAT(Image("daemon"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(UserTest, WithoutFilesOnlyNumbersAndRoot) {
  Unlink("passwd");
  Unlink("group");
  ASSERT_OK_AND_ASSIGN(ResolvedUser user, Image("root:root"));
  EXPECT_EQ(user.uid, 0u);
  EXPECT_OK(Image("12:34"));
  EXPECT_OK(ResolveUser({}, "12:34", -1));
  EXPECT_THAT(Image("app"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no user")));
}

}  // namespace
}  // namespace crisp::cri

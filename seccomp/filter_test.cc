#include "seccomp/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/status_matchers.h"

namespace crisp {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

// Makes one call in a child under the filter. The child's exit code is the errno of the
// call, 0 for success. Once the filter is there the child makes no other call than that
// one and exit_group: a sanitizer's runtime would make some of its own.
template <typename... Args>
__attribute__((no_sanitize("address", "undefined", "thread"))) int ErrnoUnder(
    const std::string& program, long number, Args... args) {
  sock_fprog fprog = {};
  fprog.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
  fprog.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()));
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 0;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
      code = 250;
    } else if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == -1) {
      code = 251;
    } else if (::syscall(number, args...) == -1) {
      code = errno;
    }
    while (true) ::syscall(SYS_exit_group, code);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

Json Profile(const Json& call) {
  return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", Json::array({call})}};
}

TEST(CompileSeccomp, NamesWhatIsWrong) {
  const auto refuses = [](const Json& profile, const char* reason) {
    EXPECT_THAT(CompileSeccomp(profile),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)))
        << profile.dump();
  };
  refuses(Json::array(), "not an object");
  refuses(Json::object(), "defaultAction");
  refuses({{"defaultAction", "SCMP_ACT_SOMETIMES"}}, "SCMP_ACT_SOMETIMES");
  refuses({{"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", 5000}}, "defaultErrnoRet");
  refuses({{"defaultAction", "SCMP_ACT_ALLOW"}, {"architectures", {"SCMP_ARCH_Z80"}}}, "Z80");
  refuses({{"defaultAction", "SCMP_ACT_ALLOW"}, {"flags", {"LOUD"}}}, "LOUD");
  refuses({{"defaultAction", "SCMP_ACT_ALLOW"}, {"listenerPath", "/x"}}, "listener");
  refuses({{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", 1}}, "syscalls");
  refuses(Profile({{"names", {"read"}}, {"action", "SCMP_ACT_NOTIFY"}}), "NOTIFY");
  refuses(Profile({{"names", Json::array()}, {"action", "SCMP_ACT_ERRNO"}}), "names");
  refuses(Profile({{"action", "SCMP_ACT_ERRNO"}}), "names");
  refuses(Profile({{"names", {1}}, {"action", "SCMP_ACT_ERRNO"}}), "names");
  const auto with_arg = [](const Json& arg) {
    return Profile({{"names", {"kill"}}, {"action", "SCMP_ACT_ERRNO"}, {"args", {arg}}});
  };
  refuses(with_arg({{"index", 6}, {"value", 0}, {"op", "SCMP_CMP_EQ"}}), "index");
  refuses(with_arg({{"index", -1}, {"value", 0}, {"op", "SCMP_CMP_EQ"}}), "index");
  refuses(with_arg({{"index", 0}, {"value", 0}, {"op", "SCMP_CMP_LIKE"}}), "LIKE");
  refuses(with_arg({{"index", 0}, {"value", "x"}, {"op", "SCMP_CMP_EQ"}}), "value");
}

TEST(CompileSeccomp, ErrnoAndAlternativesWork) {
  Json call = {{"names", {"getpgid", "no_such_call_ever"}},
               {"action", "SCMP_ACT_ERRNO"},
               {"errnoRet", 77},
               {"args",
                {{{"index", 0}, {"value", 11}, {"op", "SCMP_CMP_EQ"}},
                 {{"index", 0}, {"value", 12}, {"op", "SCMP_CMP_EQ"}}}}};
  ASSERT_OK_AND_ASSIGN(const std::string program, CompileSeccomp(Profile(call)));
  EXPECT_EQ(ErrnoUnder(program, SYS_getpgid, 11), 77);
  EXPECT_EQ(ErrnoUnder(program, SYS_getpgid, 12), 77);
  EXPECT_EQ(ErrnoUnder(program, SYS_getpgid, 0), 0);
}

TEST(WithoutUnknownCalls, KeepsWhatHasANumber) {
  const Json profile = {{"defaultAction", "SCMP_ACT_ALLOW"},
                        {"syscalls",
                         {{{"names", {"read", "no_such_call_ever"}}, {"action", "SCMP_ACT_ERRNO"}},
                          {{"names", {"no_such_call_ever"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  const Json known = WithoutUnknownCalls(profile);
  ASSERT_EQ(known["syscalls"].size(), 1u);
  EXPECT_EQ(known["syscalls"][0]["names"], Json::array({"read"}));
}

TEST(CompileSeccomp, UnknownKeysAreRefused) {
  const auto refuses = [](const Json& profile, const char* key) {
    EXPECT_THAT(CompileSeccomp(profile),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(key)));
  };
  refuses({{"defaultAction", "SCMP_ACT_ALLOW"}, {"surprise", 1}}, "surprise");
  refuses(Profile({{"names", {"read"}}, {"action", "SCMP_ACT_ERRNO"}, {"includes", 1}}),
          "includes");
}

Json ErrnoProfile(const std::vector<std::string>& allowed) {
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"syscalls", {{{"names", allowed}, {"action", "SCMP_ACT_ALLOW"}}}}};
}

TEST(CompileSeccomp, CallsNewerThanTheProfileDoNotExist) {
  const std::vector<std::string> names = {"exit_group", "getpgid", "close_range"};
  ASSERT_OK_AND_ASSIGN(const std::string program, CompileSeccomp(ErrnoProfile(names)));
  EXPECT_EQ(ErrnoUnder(program, SYS_getpgid, 0), 0);
  EXPECT_EQ(ErrnoUnder(program, SYS_getppid), EPERM);
  EXPECT_EQ(ErrnoUnder(program, SYS_close_range + 1, 0), ENOSYS);
  EXPECT_EQ(ErrnoUnder(program, 4000), ENOSYS);
}

TEST(CompileSeccomp, TheStubKnowsEveryAbi) {
  Json profile = ErrnoProfile({"exit_group", "getpgid", "read"});
  profile["architectures"] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  ASSERT_OK_AND_ASSIGN(const std::string program, CompileSeccomp(profile));
#if defined(__x86_64__)
  EXPECT_EQ(ErrnoUnder(program, SYS_getpgid, 0), 0);
  EXPECT_EQ(ErrnoUnder(program, SYS_getppid), EPERM);
  EXPECT_EQ(ErrnoUnder(program, 0x40000000 + 4000), ENOSYS);
  EXPECT_EQ(ErrnoUnder(program, 0x40000000 + SYS_getppid), EPERM);
#endif
}

TEST(CompileSeccomp, WhatIsAllowedByDefaultStaysSo) {
  ASSERT_OK_AND_ASSIGN(
      const std::string program,
      CompileSeccomp(Profile({{"names", {"getppid"}}, {"action", "SCMP_ACT_ERRNO"}})));
  EXPECT_EQ(ErrnoUnder(program, SYS_getppid), EPERM);
  EXPECT_EQ(ErrnoUnder(program, SYS_close_range, 100, 101, 0), 0);
}

TEST(SeccompFlags, AreTheKernels) {
  EXPECT_THAT(SeccompFlags(Json::object()), IsOkAndHolds(0u));
  EXPECT_THAT(
      SeccompFlags({{"flags", {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"}}}),
      IsOkAndHolds(SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
  EXPECT_THAT(SeccompFlags({{"flags", {"LOUD"}}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace crisp

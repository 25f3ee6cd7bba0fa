// The default profile on the running kernel.
#include "cri/spec/seccomp_default.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/status_matchers.h"
#include "cri/spec/capabilities.h"
#include "seccomp/filter.h"

namespace crisp::cri {
namespace {

using Json = nlohmann::json;

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

uint64_t DefaultCapabilities() { return ResolveCapabilities({}, false, ~uint64_t{0})->bounding; }

// Runs `call` in a child under the filter. The child's exit code is the errno of
// the call, 0 for success.
int ErrnoUnder(const std::string& program, const std::function<long()>& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    sock_fprog fprog = {};
    fprog.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
    fprog.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) ::_exit(250);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == -1) ::_exit(251);
    errno = 0;
    ::_exit(call() == -1 ? errno : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

class DefaultFilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(program_,
                         CompileSeccomp(DefaultSeccompProfile(DefaultCapabilities(), 6, 1)));
  }
  int Errno(const std::function<long()>& call) { return ErrnoUnder(program_, call); }
  std::string program_;
};

TEST_F(DefaultFilterTest, SocketFamilies) {
  const auto socket_of = [](int family, int type) {
    return [=]() -> long { return ::socket(family, type, 0); };
  };
  EXPECT_EQ(Errno(socket_of(AF_ALG, SOCK_SEQPACKET)), EPERM);
  EXPECT_EQ(Errno(socket_of(AF_VSOCK, SOCK_STREAM)), EPERM);
  EXPECT_EQ(Errno(socket_of(AF_INET, SOCK_STREAM)), 0);
  EXPECT_EQ(Errno(socket_of(AF_UNIX, SOCK_STREAM)), 0);
  EXPECT_EQ(Errno(socket_of(AF_NETLINK, SOCK_RAW)), 0);
  // The family between the two refused ones reaches the kernel, whatever it says.
  EXPECT_NE(Errno(socket_of(39, SOCK_STREAM)), EPERM);
}

TEST_F(DefaultFilterTest, NamespacesAndKeysAreClosed) {
  EXPECT_EQ(Errno([] { return long{::unshare(CLONE_NEWUSER)}; }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_clone3, nullptr, 0); }), ENOSYS);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0); }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_mount, nullptr, nullptr, nullptr, 0, nullptr); }),
            EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_userfaultfd, 0); }), EPERM);
  // clone with a namespace flag; without one a process can be made.
  EXPECT_EQ(Errno([] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }), EPERM);
  EXPECT_EQ(Errno([]() -> long {
              const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
              if (child == 0) ::_exit(0);
              return child == -1 ? -1 : ::waitpid(static_cast<pid_t>(child), nullptr, 0);
            }),
            0);
}

TEST_F(DefaultFilterTest, CallsOfAFutureKernelAreMissingNotForbidden) {
  EXPECT_EQ(Errno([] { return ::syscall(4000); }), ENOSYS);
}

TEST_F(DefaultFilterTest, OrdinaryCallsWork) {
  EXPECT_EQ(Errno([] { return long{::getpid()}; }), 0);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_personality, 0xffffffff); }), 0);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_personality, 0x0400000); }), EPERM);
  EXPECT_EQ(Errno([] { return ::syscall(SYS_openat2, -1, nullptr, nullptr, 0); }), EINVAL);
}

TEST(DefaultProfile, CapabilitiesOpenWhatTheyGuard) {
  runtime::v1::Capability request;
  request.add_add_capabilities("SYS_ADMIN");
  request.add_add_capabilities("BPF");
  ASSERT_OK_AND_ASSIGN(const auto sets, ResolveCapabilities(request, false, ~uint64_t{0}));
  ASSERT_OK_AND_ASSIGN(const std::string program,
                       CompileSeccomp(DefaultSeccompProfile(sets.bounding, 6, 1)));
  EXPECT_EQ(ErrnoUnder(program, [] { return ::syscall(SYS_clone3, nullptr, 0); }), EINVAL);
  EXPECT_EQ(ErrnoUnder(program, [] { return ::syscall(SYS_fsopen, nullptr, ~0u); }) == EPERM,
            ::geteuid() != 0);
  EXPECT_EQ(ErrnoUnder(program, [] { return ::syscall(SYS_keyctl, 0, 0, 0, 0, 0); }), EPERM);
}

TEST(DefaultProfile, OldKernelsKeepPtraceClosed) {
  const auto allows_ptrace = [](const Json& profile) {
    for (const Json& call : profile["syscalls"]) {
      for (const Json& name : call["names"]) {
        if (name == "ptrace") return true;
      }
    }
    return false;
  };
  EXPECT_FALSE(allows_ptrace(DefaultSeccompProfile(0, 4, 7)));
  EXPECT_TRUE(allows_ptrace(DefaultSeccompProfile(0, 4, 8)));
  EXPECT_TRUE(allows_ptrace(DefaultSeccompProfile(0, 6, 0)));
}

}  // namespace
}  // namespace crisp::cri

// What a container can see and keep of the processes that make it.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "shim/launch/test_container.h"
#include "tests/security/attack.h"

namespace crisp::security {
namespace {

using shim::ExecFor;
using shim::RequestFor;
using shim::RunResult;
using shim::RunToEnd;
using shim::TestBundle;
using shim::TestProcess;
using Json = nlohmann::json;

// CVE-2016-9962: from the moment that an exec can be seen in the container it is what the
// container may see: nobody opens its memory, its descriptors or its file before.
TEST(Execs, CannotBeLookedIntoBeforeTheyAreTheProgram) {
  TestBundle bundle;
  ASSERT_EQ(::system(absl::StrCat("cp tests/security/peek ", bundle.rootfs(), "/bin/peek").c_str()),
            0);
  Json spec = bundle.Spec("");
  spec["process"]["args"] = {"/bin/peek", "/loot"};
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  for (int round = 0; round < Rounds(); ++round) {
    const RunResult exec = RunToEnd(ExecFor(*container, spec, "true"));
    ASSERT_OK(exec.status);
    ASSERT_EQ(exec.exit_code, 0);
  }
  EXPECT_EQ(*ReadFile(bundle.Path("rootfs/loot")), "");
}

// The same for containers that come into a pid namespace that others are in.
TEST(Containers, CannotBeLookedIntoBeforeTheyAreTheProgram) {
  TestBundle bundle;
  ASSERT_EQ(::system(absl::StrCat("cp tests/security/peek ", bundle.rootfs(), "/bin/peek").c_str()),
            0);
  Json spec = bundle.Spec("");
  spec["process"]["args"] = {"/bin/peek", "/loot"};
  ASSERT_OK_AND_ASSIGN(auto peek, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(peek->Start());
  TestBundle other;
  Json joined = other.Spec("true");
  shim::JoinNamespaceIn(&joined, "pid", absl::StrCat("/proc/", peek->pid(), "/ns/pid"));
  for (int round = 0; round < Rounds() / 5; ++round) {
    ASSERT_OK(RunToEnd(other, joined).status);
  }
  EXPECT_EQ(*ReadFile(bundle.Path("rootfs/loot")), "");
}

// CVE-2019-5736: whoever holds on to the shim's program through /proc cannot write it,
// not when nobody runs it any more either.
TEST(Shim, ItsProgramCannotBeOverwritten) {
  TestBundle bundle;
  const std::string program = bundle.Path("containerd-shim-crisp-v1");
  ASSERT_EQ(::system(absl::StrCat("cp shim/main/containerd-shim-crisp-v1 ", program).c_str()), 0);
  bundle.MakeDir("state");
  ASSERT_EQ(::chmod(bundle.Path("state").c_str(), 0700), 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(listener, 0);
  sockaddr_un anywhere = {};
  anywhere.sun_family = AF_UNIX;  // Alone: the kernel chooses an abstract name.
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&anywhere), sizeof(sa_family_t)), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  const pid_t shim = ::fork();
  if (shim == 0) {
    ::execl(program.c_str(), "containerd-shim-crisp-v1", "-id", "pod", "-state",
            bundle.Path("state").c_str(), "-socket-fd", absl::StrCat(listener).c_str(), "serve",
            nullptr);
    ::_exit(127);
  }
  const absl::Cleanup end = [shim] {
    ::kill(shim, SIGKILL);
    ::waitpid(shim, nullptr, 0);
  };
  // It is the named program for a moment only, and then the same on a mount of its own.
  const std::string exe = absl::StrCat("/proc/", shim, "/exe");
  UniqueFd held;
  bool readonly = false;
  for (int i = 0; i < 200 && !readonly; ++i) {
    ::usleep(10000);
    held.reset(::open(exe.c_str(), O_PATH | O_CLOEXEC));
    ASSERT_TRUE(held.ok());
    struct statvfs fs;
    readonly = ::fstatvfs(held.get(), &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
  }
  ASSERT_TRUE(readonly);
  const std::string again = absl::StrCat("/proc/self/fd/", held.get());
  EXPECT_EQ(::open(again.c_str(), O_RDWR), -1);
  ::kill(shim, SIGKILL);
  ASSERT_EQ(::waitpid(shim, nullptr, 0), shim);
  EXPECT_EQ(::open(again.c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::truncate(again.c_str(), 0), -1);
  EXPECT_EQ(errno, EROFS);
  // The attack would have worked on the file itself.
  const UniqueFd file(::open(program.c_str(), O_PATH | O_CLOEXEC));
  const UniqueFd writable(::open(absl::StrCat("/proc/self/fd/", file.get()).c_str(), O_RDWR));
  EXPECT_TRUE(writable.ok());
}

// Signals, process group and umask of the shim do not reach the container.
TEST(Processes, StartWithACleanSlate) {
  TestBundle bundle;
  ::signal(SIGUSR1, SIG_IGN);
  sigset_t set, old;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &old);
  const RunResult result =
      RunToEnd(bundle, bundle.Spec("grep -E 'SigBlk|SigIgn|NSsid' /proc/self/status"));
  ::sigprocmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGUSR1, SIG_DFL);
  ASSERT_OK(result.status);
  // SIGQUIT is ignored by busybox's shell itself.
  EXPECT_EQ(result.out, "NSsid:\t1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000004\n");
}

}  // namespace
}  // namespace crisp::security

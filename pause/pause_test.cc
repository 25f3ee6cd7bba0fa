// crisp-pause as a pod sees it: pid 1 of a pid namespace, adopting orphans.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/version.h"

namespace crisp {
namespace {

constexpr char kPause[] = "pause/crisp-pause";

// The value after "Key:" in /proc/<pid>/<file>, or "" once the process is gone.
std::string ProcField(pid_t pid, const std::string& file, const std::string& key) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/" + file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    std::istringstream value(line.substr(key.size() + 1));
    std::string word;
    value >> word;
    return word;
  }
  return "";
}

template <typename F>
bool Eventually(F condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    usleep(10 * 1000);
  }
  return condition();
}

// Ends and collects the process when the test leaves early.
struct Child {
  pid_t pid = -1;
  ~Child() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  // The wait status, or -1 when it has not ended within five seconds.
  int Wait() {
    int status = -1;
    const bool ended = Eventually([&] { return waitpid(pid, &status, WNOHANG) == pid; });
    if (!ended) return -1;
    pid = -1;
    return status;
  }
};

// Starts crisp-pause in new namespaces as `flags` say (0: none).
pid_t StartPause(uint64_t flags, int stdout_fd = -1, const char* arg = nullptr) {
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } args = {};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  const pid_t pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (pid != 0) return pid;
  if (stdout_fd >= 0) dup2(stdout_fd, STDOUT_FILENO);
  char* const argv[] = {const_cast<char*>(kPause), const_cast<char*>(arg), nullptr};
  char* const env[] = {nullptr};
  execve(kPause, argv, env);
  _exit(127);
}

bool IsPause(pid_t pid) {
  char exe[4096] = {};
  if (readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), exe, sizeof(exe) - 1) < 0) {
    return false;
  }
  return std::string(exe).find("crisp-pause") != std::string::npos;
}

// True once it waits in rt_sigtimedwait: its set-up is behind it.
bool IsWaiting(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/syscall");
  long number = -1;
  in >> number;
  return in.good() && number == SYS_rt_sigtimedwait && IsPause(pid);
}

// Makes `count` orphans inside the pid namespace of `pause`: each says hello on
// `socket` (its credentials name its pid here) and ends when the socket closes.
bool MakeOrphans(pid_t pause, int count, int socket, int other_end) {
  const pid_t outside = fork();
  if (outside == 0) {
    close(other_end);
    const std::string ns_path = "/proc/" + std::to_string(pause) + "/ns/pid";
    const int ns = open(ns_path.c_str(), O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWPID) != 0) _exit(1);
    const pid_t inside = fork();
    if (inside == 0) {
      for (int i = 0; i < count; ++i) {
        if (fork() != 0) continue;
        char byte = 'x';
        if (write(socket, &byte, 1) != 1) _exit(1);
        (void)!read(socket, &byte, 1);
        _exit(0);
      }
      _exit(0);
    }
    int status = -1;
    waitpid(inside, &status, 0);
    _exit(status == 0 ? 0 : 1);
  }
  int status = -1;
  waitpid(outside, &status, 0);
  return status == 0;
}

pid_t SenderOf(int socket) {
  char byte = 0;
  char control[CMSG_SPACE(sizeof(ucred))] = {};
  iovec iov = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(socket, &message, 0) != 1) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_CREDENTIALS) return -1;
  ucred sender = {};
  memcpy(&sender, CMSG_DATA(header), sizeof(sender));
  return sender.pid;
}

TEST(Pause, IsSmall) {
  struct stat info = {};
  ASSERT_EQ(stat(kPause, &info), 0);
  EXPECT_LT(info.st_size, 16 * 1024);
}

TEST(Pause, PrintsItsVersion) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  UniqueFd out(fds[0]), in(fds[1]);
  Child child{StartPause(0, in.get(), "-v")};
  in.reset();
  char text[64] = {};
  ASSERT_GT(read(out.get(), text, sizeof(text) - 1), 0);
  // pause includes nothing, so its version is written down twice.
  EXPECT_EQ(std::string(text), std::string("crisp-pause ") + kCrispVersion + "\n");
  EXPECT_EQ(child.Wait(), 0);
}

TEST(Pause, RefusesUnknownArguments) {
  Child child{StartPause(0, -1, "--frobnicate")};
  const int status = child.Wait();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

TEST(Pause, EndsOnSigtermAndSigintOutsideANamespace) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Child child{StartPause(0)};
    ASSERT_TRUE(Eventually([&] { return IsWaiting(child.pid); }));
    ASSERT_EQ(kill(child.pid, SIGHUP), 0);
    ASSERT_EQ(kill(child.pid, signal), 0);
    EXPECT_EQ(child.Wait(), 0) << strsignal(signal);
  }
}

class PauseAsPid1 : public testing::Test {
 protected:
  void SetUp() override {
    child_.pid = StartPause(CLONE_NEWPID);
    if (child_.pid < 0 && errno == EPERM) {
      GTEST_SKIP() << "needs root to make a pid namespace";
    }
    ASSERT_GT(child_.pid, 0) << strerror(errno);
    ASSERT_TRUE(Eventually([&] { return IsWaiting(child_.pid); }));
  }
  Child child_;
};

TEST_F(PauseAsPid1, ReapsOrphansAndEndsOnSigterm) {
  constexpr int kOrphans = 50;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
  UniqueFd ours(fds[0]), theirs(fds[1]);
  const int on = 1;
  ASSERT_EQ(setsockopt(ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  ASSERT_TRUE(MakeOrphans(child_.pid, kOrphans, theirs.get(), ours.get()));
  theirs.reset();

  std::vector<pid_t> orphans;
  for (int i = 0; i < kOrphans; ++i) orphans.push_back(SenderOf(ours.get()));
  for (const pid_t orphan : orphans) {
    ASSERT_GT(orphan, 0);
    EXPECT_EQ(ProcField(orphan, "status", "PPid"), std::to_string(child_.pid));
  }
  for (size_t i = 0; i < orphans.size(); ++i) {
    const char byte = 'q';
    ASSERT_EQ(send(ours.get(), &byte, 1, 0), 1);
  }
  // A zombie keeps its /proc entry; a reaped process has none.
  for (const pid_t orphan : orphans) {
    EXPECT_TRUE(Eventually([&] { return ProcField(orphan, "status", "State").empty(); }))
        << orphan << " is " << ProcField(orphan, "status", "State");
  }
  ASSERT_EQ(kill(child_.pid, SIGTERM), 0);
  EXPECT_EQ(child_.Wait(), 0);
}

TEST_F(PauseAsPid1, SigtermFromInsideTheNamespaceEndsIt) {
  const pid_t pause = child_.pid;
  const pid_t outside = fork();
  if (outside == 0) {
    const std::string ns_path = "/proc/" + std::to_string(pause) + "/ns/pid";
    const int ns = open(ns_path.c_str(), O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWPID) != 0) _exit(1);
    const pid_t inside = fork();
    if (inside == 0) _exit(kill(1, SIGTERM) == 0 ? 0 : 1);
    // Pause ends and takes the namespace with it, perhaps before `inside` has exited.
    waitpid(inside, nullptr, 0);
    _exit(0);
  }
  int status = -1;
  waitpid(outside, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(child_.Wait(), 0);
}

TEST_F(PauseAsPid1, TakesAFewPages) {
  const std::string rss = ProcField(child_.pid, "smaps_rollup", "Rss");
  ASSERT_FALSE(rss.empty());
  EXPECT_LE(std::stoi(rss), 64) << "kB resident";
  const std::string threads = ProcField(child_.pid, "status", "Threads");
  EXPECT_EQ(threads, "1");
}

}  // namespace
}  // namespace crisp

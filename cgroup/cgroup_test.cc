// On the hierarchies of this host, whatever they are. Every test's cgroup has a name of
// its own and is gone at the end.
#include "cgroup/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"

namespace crisp::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto hosts = Hierarchies::Probe();
    if (!hosts.ok()) GTEST_SKIP() << hosts.status();
    hosts_ = *hosts;
    top_ = absl::StrCat("/crisp-test-", RandomHex(8));
  }

  void TearDown() override {
    for (const pid_t pid : children_) {
      ::kill(pid, SIGKILL);
    }
    if (const auto top = Cgroup::Open(hosts_, top_); top.ok()) {
      (void)top->Kill(SIGKILL);
      for (const pid_t pid : children_) ::waitpid(pid, nullptr, 0);
      EXPECT_OK(top->Remove());
    }
    for (const std::string& mount : hosts_.MountPoints()) {
      EXPECT_NE(::access(JoinPath(mount, top_).c_str(), F_OK), 0) << mount;
    }
  }

  absl::StatusOr<Cgroup> Create(const Resources& resources = {}, const std::string& name = "c") {
    return Cgroup::Create(hosts_, JoinPath(top_, name), resources);
  }

  // A child in the cgroup that runs `body` and exits with its result.
  pid_t Spawn(const Cgroup& cgroup, const std::function<int()>& body) {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      const bool joined = cgroup.JoinSelf(/*unified_joined=*/false).ok();
      (void)!::write(ready[1], joined ? "1" : "0", 1);
      ::_exit(joined ? body() : 99);
    }
    char joined = '0';
    ::close(ready[1]);
    EXPECT_EQ(::read(ready[0], &joined, 1), 1);
    ::close(ready[0]);
    EXPECT_EQ(joined, '1');
    children_.push_back(pid);
    return pid;
  }

  pid_t SpawnSleeper(const Cgroup& cgroup) {
    return Spawn(cgroup, [] {
      while (true) ::pause();
      return 0;
    });
  }

  static int Wait(pid_t pid) {
    int status = -1;
    ::waitpid(pid, &status, 0);
    return status;
  }

  std::string Read(const std::string& controller, const std::string& file,
                   const std::string& name = "c") {
    const std::string mount = hosts_.v2() ? hosts_.unified : hosts_.MountPointOf(controller);
    const auto text = ReadFile(JoinPath(JoinPath(JoinPath(mount, top_), name), file));
    return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : text.status().ToString();
  }

  bool HasV1(const std::string& controller) const {
    return !hosts_.MountPointOf(controller).empty();
  }

  Hierarchies hosts_;
  std::string top_;
  std::vector<pid_t> children_;
};

TEST_F(CgroupTest, MakesItInEveryHierarchyAndFindsItAgain) {
  EXPECT_THAT(Cgroup::Open(hosts_, top_ + "/a/b"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create({}, "a/b"));
  for (const std::string& mount : hosts_.MountPoints()) {
    EXPECT_EQ(::access(JoinPath(mount, cgroup.path()).c_str(), F_OK), 0) << mount;
  }
  EXPECT_OK(Cgroup::Open(hosts_, top_ + "/a/b"));
  EXPECT_OK(cgroup.Remove());
  EXPECT_OK(cgroup.Remove());
  EXPECT_THAT(Cgroup::Open(hosts_, top_ + "/a/b"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(cgroup.ReadStats(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CgroupTest, PathsStayBelowTheRoot) {
  for (const std::string path : {"", "/", "a", "/a/../b", "/a//b", "/./a", "/a\n"}) {
    EXPECT_THAT(Cgroup::Create(hosts_, path, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(CgroupTest, AnEmptyCgroupIsTakenOverOneInUseIsNot) {
  ASSERT_OK(Create().status());
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  const pid_t pid = SpawnSleeper(cgroup);
  EXPECT_THAT(cgroup.Pids(), IsOkAndHolds(ElementsAre(pid)));
  EXPECT_THAT(Create(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(ErrnoOf(cgroup.Remove()), EBUSY);
}

TEST_F(CgroupTest, ARefusedLimitLeavesNothing) {
  Resources resources;
  resources.cpuset_cpus = "4000";
  EXPECT_FALSE(Create(resources, "deep/down").ok());
  EXPECT_THAT(Cgroup::Open(hosts_, top_), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CgroupTest, ProcessesJoinWithLimitsInPlace) {
  Resources resources;
  resources.memory_limit = 64 * kMiB;
  resources.cpu_quota = 50000;
  resources.cpu_period = 100000;
  resources.cpu_shares = 512;
  resources.pids_limit = 7;
  resources.cpuset_cpus = "0";
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  const pid_t pid = SpawnSleeper(cgroup);
  ASSERT_OK_AND_ASSIGN(const std::string where, ReadFile(absl::StrCat("/proc/", pid, "/cgroup")));
  for (absl::string_view line : absl::StrSplit(where, '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(absl::EndsWith(line, absl::StrCat(":", cgroup.path()))) << line;
  }
  ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
  EXPECT_EQ(stats.memory.limit, static_cast<uint64_t>(64 * kMiB));
  EXPECT_EQ(stats.pids_limit, 7u);
  EXPECT_EQ(stats.pids, 1u);
  EXPECT_EQ(Read("cpuset", "cpuset.cpus"), "0");
  if (HasV1("cpu")) {
    EXPECT_EQ(Read("cpu", "cpu.shares"), "512");
  }
  if (hosts_.v2()) {
    EXPECT_EQ(Read("", "cpu.max"), "50000 100000");
  }
}

TEST_F(CgroupTest, AnUpdateMovesMemoryAndSwapEitherWay) {
  Resources resources;
  resources.memory_limit = resources.memory_swap = 32 * kMiB;
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  for (const int64_t limit : {256 * kMiB, 16 * kMiB, int64_t{-1}, 64 * kMiB}) {
    resources.memory_limit = resources.memory_swap = limit;
    ASSERT_OK(cgroup.Update(resources)) << limit;
    ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
    EXPECT_EQ(stats.memory.limit, limit < 0 ? kUnlimited : static_cast<uint64_t>(limit));
    EXPECT_EQ(stats.memory.swap_limit, limit < 0 ? kUnlimited : 0u);
  }
}

TEST_F(CgroupTest, AnUpdateMovesQuotaAndPeriodEitherWay) {
  Resources parent;
  parent.cpu_quota = 100000;
  parent.cpu_period = 100000;
  ASSERT_OK(Cgroup::Create(hosts_, top_, parent).status());
  Resources resources;
  resources.cpu_quota = 50000;
  resources.cpu_period = 100000;
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  // Neither order of two writes would do for both: the parent allows a ratio of one.
  for (const auto& [quota, period] : std::vector<std::pair<int64_t, uint64_t>>{
           {9000, 10000}, {900000, 1000000}, {5000, 10000}, {-1, 100000}, {20000, 20000}}) {
    resources.cpu_quota = quota;
    resources.cpu_period = period;
    ASSERT_OK(cgroup.Update(resources)) << quota << " " << period;
    if (HasV1("cpu")) {
      EXPECT_EQ(Read("cpu", "cpu.cfs_quota_us"), absl::StrCat(quota));
      EXPECT_EQ(Read("cpu", "cpu.cfs_period_us"), absl::StrCat(period));
    }
  }
}

TEST_F(CgroupTest, AnUpdateThatFailsPutsTheKernelBack) {
  Resources resources;
  resources.memory_limit = resources.memory_swap = 64 * kMiB;
  resources.cpu_quota = 50000;
  resources.cpu_period = 100000;
  resources.pids_limit = 10;
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  Resources bad;
  bad.memory_limit = bad.memory_swap = 128 * kMiB;
  bad.cpu_quota = 20000;
  bad.cpu_period = 50000;
  bad.cpuset_cpus = "4000";  // Refused after the others were written.
  bad.pids_limit = 20;
  EXPECT_THAT(cgroup.Update(bad).ToString(), HasSubstr("cpu.cpus"));
  ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
  EXPECT_EQ(stats.memory.limit, static_cast<uint64_t>(64 * kMiB));
  EXPECT_EQ(stats.memory.swap_limit, 0u);
  EXPECT_EQ(stats.pids_limit, 10u);
  if (HasV1("cpu")) {
    EXPECT_EQ(Read("cpu", "cpu.cfs_quota_us"), "50000");
    EXPECT_EQ(Read("cpu", "cpu.cfs_period_us"), "100000");
  }
}

TEST_F(CgroupTest, FreezesAndThaws) {
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  // It catches the signal: what would end it at once ends the frozen of cgroup v2 at once.
  struct sigaction act = {};
  act.sa_handler = [](int) { ::_exit(42); };
  struct sigaction before;
  ASSERT_EQ(::sigaction(SIGTERM, &act, &before), 0);
  const pid_t pid = SpawnSleeper(cgroup);
  ::sigaction(SIGTERM, &before, nullptr);
  EXPECT_THAT(cgroup.Frozen(), IsOkAndHolds(false));
  ASSERT_OK(cgroup.Freeze());
  EXPECT_THAT(cgroup.Frozen(), IsOkAndHolds(true));
  ASSERT_OK(cgroup.Kill(SIGTERM));  // Waits for the thaw.
  EXPECT_THAT(cgroup.Frozen(), IsOkAndHolds(true));
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
  ASSERT_OK(cgroup.Thaw());
  const int status = Wait(pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

TEST_F(CgroupTest, TheHomeOfAProcessIsBelow) {
  if (hosts_.unified.empty()) GTEST_SKIP() << "this host has no cgroup v2 tree";
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  ASSERT_OK_AND_ASSIGN(const Cgroup below, Create({}, "c/below"));
  ASSERT_OK_AND_ASSIGN(const Cgroup other, Create({}, "cc"));
  const pid_t inner = SpawnSleeper(below);
  const pid_t outer = SpawnSleeper(other);
  ASSERT_OK_AND_ASSIGN(const Cgroup home, cgroup.HomeOf(inner));
  EXPECT_EQ(home.path(), below.path());
  EXPECT_THAT(cgroup.HomeOf(outer), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(cgroup.HomeOf(::getpid()), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CgroupTest, KillReachesFrozenProcessesAndSubCgroups) {
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  ASSERT_OK_AND_ASSIGN(const Cgroup below, Create({}, "c/below"));
  const pid_t outer = hosts_.v2() ? 0 : SpawnSleeper(cgroup);
  const pid_t inner = SpawnSleeper(below);
  ASSERT_OK(cgroup.Freeze());
  ASSERT_OK(cgroup.Kill(SIGKILL));
  EXPECT_EQ(WTERMSIG(Wait(inner)), SIGKILL);
  if (outer != 0) {
    EXPECT_EQ(WTERMSIG(Wait(outer)), SIGKILL);
  }
  EXPECT_OK(cgroup.Kill(SIGKILL));
  EXPECT_OK(cgroup.Remove());
}

TEST_F(CgroupTest, KillReachesAProcessThatIsInV1Alone) {
  if (hosts_.v1.empty()) GTEST_SKIP() << "this host has no v1 hierarchy";
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  const pid_t pid = SpawnSleeper(cgroup);
  if (!hosts_.unified.empty()) {
    ASSERT_OK(WriteKernelFile(JoinPath(hosts_.unified, "cgroup.procs"), absl::StrCat(pid)));
  }
  ASSERT_OK(cgroup.Kill(SIGKILL));
  EXPECT_EQ(WTERMSIG(Wait(pid)), SIGKILL);
}

TEST_F(CgroupTest, RemoveWaitsForTheDying) {
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  const pid_t pid = SpawnSleeper(cgroup);
  ASSERT_OK(cgroup.Kill(SIGKILL));
  EXPECT_OK(cgroup.Remove());  // Nobody has waited for it yet.
  EXPECT_EQ(WTERMSIG(Wait(pid)), SIGKILL);
}

TEST_F(CgroupTest, CountsAndTellsOfOomKills) {
  Resources resources;
  resources.memory_limit = resources.memory_swap = 16 * kMiB;
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  EXPECT_THAT(cgroup.OomKills(), IsOkAndHolds(0u));
  ASSERT_OK_AND_ASSIGN(const UniqueFd watch, cgroup.WatchOom());
  pollfd ready = {.fd = watch.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
  const pid_t pid = Spawn(cgroup, [] {
    constexpr size_t kSize = 64 << 20;
    void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? 1 : 0;
  });
  EXPECT_EQ(WTERMSIG(Wait(pid)), SIGKILL);
  EXPECT_EQ(::poll(&ready, 1, 1000), 1);
  char buffer[4096];
  EXPECT_GT(::read(watch.get(), buffer, sizeof(buffer)), 0);
  EXPECT_THAT(cgroup.OomKills(), IsOkAndHolds(1u));
  ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
  EXPECT_EQ(stats.oom_kills, 1u);
}

TEST_F(CgroupTest, StatsCountWhatProcessesDo) {
  Resources resources;
  resources.cpu_quota = 1000;
  resources.cpu_period = 10000;
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  const pid_t pid = Spawn(cgroup, [] {
    constexpr size_t kSize = 16 << 20;
    void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    timespec used;
    do {
      ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 60'000'000);
    (void)::raise(SIGSTOP);
    return memory == MAP_FAILED ? 1 : 0;
  });
  int status;
  ::waitpid(pid, &status, WUNTRACED);
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
  EXPECT_EQ(stats.v2, hosts_.v2());
  EXPECT_GT(stats.cpu.usage_ns, 50'000'000u);
  EXPECT_LT(stats.cpu.usage_ns, 5'000'000'000u);
  EXPECT_GT(stats.cpu.user_ns + stats.cpu.system_ns, 0u);
  EXPECT_GT(stats.cpu.throttled_periods, 0u);
  EXPECT_GT(stats.cpu.throttled_ns, 0u);
  EXPECT_GE(stats.memory.rss, 16u * kMiB);
  EXPECT_GE(stats.memory.usage, stats.memory.rss);
  EXPECT_GE(stats.memory.working_set(), 16u * kMiB);
  EXPECT_EQ(stats.memory.limit, kUnlimited);
  EXPECT_GT(stats.memory.page_faults, 0u);
  if (::access("/proc/pressure/cpu", F_OK) == 0 && !hosts_.unified.empty()) {
    ASSERT_TRUE(stats.cpu.pressure.has_value());
    EXPECT_TRUE(stats.memory.pressure.has_value());
    EXPECT_TRUE(stats.io_pressure.has_value());
  }
}

// The rules of a container: nothing but /dev/null and /dev/zero, the latter for reading.
std::vector<DeviceRule> FewDevices() {
  return {{.allow = false, .type = 'a', .access = "rwm"},
          {.allow = true, .type = 'c', .major = 1, .minor = 3, .access = "rwm"},
          {.allow = true, .type = 'c', .major = 1, .minor = 5, .access = "r"}};
}

// One letter for each attempt: null for writing, zero for reading, zero for writing,
// urandom for reading.
int TryDevices() {
  int result = 0;
  const auto attempt = [&](const char* path, int flags, int bit) {
    const UniqueFd fd(::open(path, flags | O_CLOEXEC));
    if (fd.ok()) result |= bit;
  };
  attempt("/dev/null", O_WRONLY, 1);
  attempt("/dev/zero", O_RDONLY, 2);
  attempt("/dev/zero", O_WRONLY, 4);
  attempt("/dev/urandom", O_RDONLY, 8);
  return result;
}

TEST_F(CgroupTest, DeviceRulesHoldAndCanBeUpdated) {
  Resources resources;
  resources.devices = FewDevices();
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create(resources));
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 2);
  resources.devices.push_back({.allow = true, .type = 'c', .major = 1, .minor = 9, .access = "r"});
  resources.devices[2].access = "w";
  ASSERT_OK(cgroup.Update(resources));
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 4 | 8);
  resources.devices = {{.allow = true, .type = 'a', .access = "rwm"},
                       {.allow = false, .type = 'c', .major = 1, .minor = 5, .access = "w"}};
  ASSERT_OK(cgroup.Update(resources));
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 2 | 8);
}

// Hybrid hosts take part in what a v2 tree without controllers can do: its device programs
// work as on a host with v2 alone.
TEST_F(CgroupTest, DeviceProgramsHoldAndAreReplaced) {
  if (hosts_.unified.empty()) GTEST_SKIP() << "this host has no cgroup v2 tree";
  Hierarchies tree;
  tree.unified = hosts_.unified;
  Resources resources;
  resources.devices = FewDevices();
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Cgroup::Create(tree, JoinPath(top_, "c"), resources));
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 2);
  for (int i = 0; i < 70; ++i) {  // More than a cgroup may have programs.
    resources.devices[2].access = i % 2 == 0 ? "w" : "rw";
    ASSERT_OK(cgroup.Update(resources));
  }
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 2 | 4);
  resources.devices = {{.allow = true, .type = 'a', .access = "rwm"},
                       {.allow = false, .type = 'c', .major = 1, .minor = 5, .access = "w"}};
  ASSERT_OK(cgroup.Update(resources));
  EXPECT_EQ(WEXITSTATUS(Wait(Spawn(cgroup, TryDevices))), 1 | 2 | 8);
}

TEST_F(CgroupTest, TheUnifiedDirectoryTakesClones) {
  if (hosts_.unified.empty()) GTEST_SKIP() << "this host has no cgroup v2 tree";
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Create());
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, cgroup.OpenUnified());
  struct stat st, expected;
  ASSERT_EQ(::fstat(directory.get(), &st), 0);
  ASSERT_EQ(::stat(JoinPath(hosts_.unified, cgroup.path()).c_str(), &expected), 0);
  EXPECT_EQ(st.st_ino, expected.st_ino);
}

TEST_F(CgroupTest, WhatTheHostLacksIsAnErrorOnlyIfAskedFor) {
  Resources resources;
  if (!HasV1("hugetlb") && !hosts_.v2()) resources.hugepage_limits["2MB"] = 0;
  ASSERT_OK(Create(resources).status());
  if (hosts_.v2() || HasV1("net_cls")) GTEST_SKIP() << "nothing is missing on this host";
  resources.network_class_id = 1;
  EXPECT_THAT(Create(resources, "d"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("network.classID")));
  resources.network_class_id.reset();
  resources.unified["memory.high"] = "1";
  EXPECT_THAT(Create(resources, "d"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("unified")));
}

}  // namespace
}  // namespace crisp::cgroup

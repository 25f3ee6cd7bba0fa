// The contract of TaskDriver: what every driver does, shown on containerd with runc as
// they are installed, on the native driver with the real shim, and, as far as nothing has to
// run, on the fake that other tests build on.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/status_matchers.h"
#include "cri/task/containerd_driver.h"
#include "cri/task/driver_test_env.h"
#include "cri/task/fake_task_driver.h"
#include "cri/task/native_driver.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kNone = absl::ZeroDuration();

std::vector<std::string> Sh(const std::string& script) { return {"sh", "-c", script}; }

bool Eventually(const std::function<bool()>& condition,
                absl::Duration timeout = absl::Seconds(60)) {
  const absl::Duration deadline = Clock::Real()->Steady() + timeout;
  while (!condition()) {
    if (Clock::Real()->Steady() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

class TaskDriverTest : public ::testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() {
    env_ = new DriverTestEnv;
    skip_ = new std::string;
    if (absl::Status up = env_->SetUp(); !up.ok()) *skip_ = up.ToString();
  }
  static void TearDownTestSuite() {
    EXPECT_THAT(env_->TearDown(), IsEmpty());
    delete env_;
    delete skip_;
  }

  static bool native() { return GetParam() == "native"; }
  static bool fake() { return GetParam() == "fake"; }

  void SetUp() override {
    if (!skip_->empty()) GTEST_SKIP() << *skip_;
    if (GetParam() == "containerd") {
      ASSERT_OK_AND_ASSIGN(containerd_, Containerd::Connect(env_->socket(), "crisp-test"));
    }
    OpenDriver();
    id_ = "t" + RandomHex(10);
    if (!native()) return;
    // The pod whose shim and whose mounts the tasks have.
    TaskSpec pause = env_->Spec(DriverTestEnv::kPod, {"sleep", "1000"});
    pause.is_sandbox = true;
    Run(pause);
  }
  void TearDown() override {
    if (driver_ == nullptr) return;
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> ids, driver_->List());
    for (const std::string& id : ids) EXPECT_OK(driver_->Delete(id));
    EXPECT_THAT(driver_->List(), IsOkAndHolds(IsEmpty()));
    driver_.reset();
  }

  void OpenDriver() {
    if (fake()) {
      driver_ = std::make_unique<FakeTaskDriver>();
    } else if (native()) {
      NativeDriver::Options options;
      options.state_dir = env_->dir() + "/shims";
      options.shim_binary = "shim/main/containerd-shim-crisp-v1";
      ASSERT_OK_AND_ASSIGN(driver_, NativeDriver::Open(options));
    } else {
      ContainerdDriver::Options options;
      options.state_dir = env_->dir() + "/streams";
      ASSERT_OK_AND_ASSIGN(driver_, ContainerdDriver::Open(containerd_.get(), options));
    }
    driver_->OnExit(exits_.Callback());
  }
  // All tasks but the pod's own.
  absl::StatusOr<std::vector<std::string>> Tasks() {
    auto ids = driver_->List();
    if (ids.ok()) std::erase(*ids, DriverTestEnv::kPod);
    return ids;
  }
  void Run(const TaskSpec& spec) {
    ASSERT_OK(driver_->Create(spec));
    ASSERT_OK(driver_->Start(spec.id));
  }
  void RunSleeper() { Run(env_->Spec(id_, {"sleep", "1000"})); }
  absl::StatusOr<ExecResult> Exec(const std::vector<std::string>& args,
                                  absl::Duration timeout = kNone) {
    return driver_->ExecSync(id_, DriverTestEnv::ProcessJson(args), timeout);
  }

  static DriverTestEnv* env_;
  static std::string* skip_;
  ExitRecord exits_;
  std::unique_ptr<Containerd> containerd_;
  std::unique_ptr<TaskDriver> driver_;
  std::string id_;
};

DriverTestEnv* TaskDriverTest::env_ = nullptr;
std::string* TaskDriverTest::skip_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Drivers, TaskDriverTest, ::testing::Values("containerd", "native"),
                         [](const auto& info) { return info.param; });

// What needs no process to be seen: the fake does it, too.
class TaskStatesTest : public TaskDriverTest {};

INSTANTIATE_TEST_SUITE_P(Drivers, TaskStatesTest, ::testing::Values("containerd", "native", "fake"),
                         [](const auto& info) { return info.param; });

TEST_P(TaskStatesTest, EachMoveIsMadeOnceAndTheEndToldOnce) {
  const TaskSpec spec = env_->Spec(id_, {"sleep", "1000"});
  ASSERT_OK_AND_ASSIGN(const uint32_t pid, driver_->Create(spec));
  EXPECT_THAT(driver_->Create(spec), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(driver_->State(id_)->status, TaskStatus::kCreated);
  EXPECT_EQ(driver_->State(id_)->pid, pid);
  ASSERT_OK(driver_->Start(id_));
  EXPECT_EQ(driver_->State(id_)->status, TaskStatus::kRunning);
  EXPECT_THAT(driver_->Start(id_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Tasks(), IsOkAndHolds(Contains(id_)));
  EXPECT_THAT(driver_->Pids(id_), IsOkAndHolds(Contains(pid)));
  EXPECT_OK(driver_->Kill(id_, SIGKILL, /*all=*/true));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
  EXPECT_TRUE(Eventually([&] { return driver_->State(id_)->status == TaskStatus::kStopped; }));
  EXPECT_EQ(driver_->State(id_)->exit.exit_code, 137);
  EXPECT_FALSE(driver_->Start(id_).ok());
  EXPECT_OK(driver_->Kill(id_, SIGKILL, /*all=*/false));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_THAT(driver_->State(id_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Tasks(), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(TaskStatesTest, WhatIsNotThereIsNotFoundOrGoneAlready) {
  EXPECT_THAT(driver_->State("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver_->Pids("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver_->Update("nobody", "{}"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver_->ReopenLog("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver_->Attach("nobody", {}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(driver_->Start("nobody").ok());
  EXPECT_OK(driver_->Kill("nobody", SIGKILL, false));
  EXPECT_OK(driver_->Delete("nobody"));
}

TEST_P(TaskStatesTest, DeleteEndsWhatRuns) {
  ASSERT_OK(driver_->Create(env_->Spec(id_, {"sleep", "1000"})));
  ASSERT_OK(driver_->Start(id_));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_THAT(driver_->State(id_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
}

TEST_P(TaskStatesTest, AnAdoptedTaskThatIsNotThereIsLost) {
  ASSERT_OK(driver_->Adopt(env_->Spec(id_, {"true"})));
  const TaskExit exit = exits_.Wait(id_);
  EXPECT_TRUE(exit.lost);
  EXPECT_EQ(exit.exit_code, kLostExitCode);
  EXPECT_OK(driver_->Delete(id_));
}

// What only containerd can do, or suffer.
class ContainerdDriverTest : public TaskDriverTest {};

INSTANTIATE_TEST_SUITE_P(Drivers, ContainerdDriverTest, ::testing::Values("containerd"),
                         [](const auto& info) { return info.param; });

TEST_P(TaskDriverTest, ATaskLivesLogsAndEnds) {
  const TaskSpec spec = env_->Spec(id_, Sh("echo out; echo err >&2; printf tail; exit 7"));
  ASSERT_OK_AND_ASSIGN(const uint32_t pid, driver_->Create(spec));
  EXPECT_EQ(::kill(static_cast<pid_t>(pid), 0), 0);
  EXPECT_EQ(driver_->State(id_)->status, TaskStatus::kCreated);
  EXPECT_EQ(driver_->State(id_)->pid, pid);
  EXPECT_THAT(Tasks(), IsOkAndHolds(Contains(id_)));
  EXPECT_THAT(driver_->Create(spec), StatusIs(absl::StatusCode::kAlreadyExists));

  const int64_t before = absl::GetCurrentTimeNanos();
  ASSERT_OK(driver_->Start(id_));
  const TaskExit exit = exits_.Wait(id_);
  EXPECT_EQ(exit.exit_code, 7);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_FALSE(exit.lost);
  EXPECT_GT(exit.exited_at_ns, before);
  EXPECT_LT(exit.exited_at_ns, absl::GetCurrentTimeNanos());
  // All output is in the log by the time that the exit is reported.
  EXPECT_THAT(env_->Log(id_), HasSubstr("stdout F out\n"));
  EXPECT_THAT(env_->Log(id_), HasSubstr("stderr F err\n"));
  EXPECT_THAT(env_->Log(id_), HasSubstr("stdout P tail\n"));

  ASSERT_OK_AND_ASSIGN(const TaskState state, driver_->State(id_));
  EXPECT_EQ(state.status, TaskStatus::kStopped);
  EXPECT_EQ(state.exit.exit_code, 7);
  EXPECT_FALSE(driver_->Start(id_).ok());
  EXPECT_OK(driver_->Kill(id_, SIGTERM, false));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_THAT(driver_->State(id_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(TaskDriverTest, ManyShortTasksAreReportedOnceEach) {
  for (int i = 0; i < 5; ++i) {
    const std::string id = absl::StrCat(id_, "-", i);
    Run(env_->Spec(id, {"true"}));
    EXPECT_EQ(exits_.Wait(id).exit_code, 0);
    EXPECT_OK(driver_->Delete(id));
    EXPECT_EQ(exits_.Count(id), 1u);
  }
}

TEST_P(TaskDriverTest, KillEndsIt) {
  RunSleeper();
  EXPECT_OK(driver_->Kill(id_, SIGKILL, /*all=*/false));
  const TaskExit exit = exits_.Wait(id_);
  EXPECT_EQ(exit.exit_code, 137);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_OK(driver_->Kill(id_, SIGKILL, /*all=*/true));
  EXPECT_OK(driver_->Kill("nobody", SIGKILL, false));
}

TEST_P(TaskDriverTest, DeleteEndsARunningTaskAndACreatedOne) {
  RunSleeper();
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_THAT(driver_->State(id_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
  const std::string created = id_ + "-created";
  ASSERT_OK(driver_->Create(env_->Spec(created, {"true"})));
  const absl::Duration start = Clock::Real()->Steady();
  EXPECT_OK(driver_->Delete(created));
  EXPECT_LT(Clock::Real()->Steady() - start, absl::Seconds(2)) << "the shim waited for output";
  EXPECT_THAT(Tasks(), IsOkAndHolds(IsEmpty()));
  EXPECT_OK(driver_->Delete("never-there"));
}

TEST_P(TaskDriverTest, AnInitThatDiesBeforeItStartsIsReported) {
  ASSERT_OK_AND_ASSIGN(const uint32_t pid, driver_->Create(env_->Spec(id_, {"true"})));
  ASSERT_EQ(::kill(static_cast<pid_t>(pid), SIGKILL), 0);
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
  EXPECT_FALSE(driver_->Start(id_).ok());
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(TaskDriverTest, ACreateThatFailsLeavesNothing) {
  EXPECT_THAT(driver_->Create(env_->Spec(id_, {"/no/such/program"})),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("/no/such/program")));
  EXPECT_THAT(Tasks(), IsOkAndHolds(IsEmpty()));
  TaskSpec spec = env_->Spec(id_, {"true"});
  spec.rootfs[0].set_source("/no/such/rootfs");
  EXPECT_THAT(driver_->Create(spec),
              StatusIs(absl::StatusCode::kInternal,
                       AnyOf(HasSubstr("no such file"), HasSubstr("No such file"))));
  spec = env_->Spec(id_, {"true"});
  spec.log_path = "../escape";
  EXPECT_THAT(driver_->Create(spec), StatusIs(absl::StatusCode::kInvalidArgument));
  spec = env_->Spec("../" + id_, {"true"});
  EXPECT_THAT(driver_->Create(spec), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Tasks(), IsOkAndHolds(IsEmpty()));
  // The id is free again.
  Run(env_->Spec(id_, {"true"}));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 0);
}

TEST_P(TaskDriverTest, ASandboxHasNoStreams) {
  TaskSpec spec = env_->Spec(id_, {"sleep", "1000"});
  spec.is_sandbox = true;
  spec.sandbox_id = id_;
  Run(spec);
  EXPECT_NE(::access((env_->dir() + "/streams/io/" + id_).c_str(), F_OK), 0);
  EXPECT_THAT(driver_->ReopenLog(id_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(driver_->Kill(id_, SIGKILL, false));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
}

TEST_P(ContainerdDriverTest, StdinIsEmptyUnlessAskedFor) {
  Run(env_->Spec(id_, {"cat"}));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 0);
  const std::string open = id_ + "-open";
  TaskSpec spec = env_->Spec(open, {"cat"});
  spec.stdin = true;
  Run(spec);
  EXPECT_EQ(exits_.Wait(open, absl::Milliseconds(300)).exit_code, -1);
  // As an attach will do it.
  std::FILE* in = std::fopen((env_->dir() + "/streams/io/" + open + "/stdin").c_str(), "we");
  ASSERT_NE(in, nullptr);
  std::fputs("typed\n", in);
  std::fclose(in);
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(env_->Log(open), "stdout F typed"); }));
}

TEST_P(TaskDriverTest, ATerminalHasOneStream) {
  TaskSpec spec = env_->Spec(id_, Sh("tty; echo err >&2"));
  nlohmann::json oci = nlohmann::json::parse(spec.spec_json);
  oci["process"]["terminal"] = true;
  spec.spec_json = oci.dump();
  spec.tty = true;
  Run(spec);
  EXPECT_EQ(exits_.Wait(id_).exit_code, 0);
  EXPECT_THAT(env_->Log(id_), HasSubstr("stdout F /dev/pts/0\n"));
  EXPECT_THAT(env_->Log(id_), HasSubstr("stdout F err\n"));
}

TEST_P(TaskDriverTest, PidsAndUpdate) {
  Run(env_->Spec(id_, Sh("sleep 1000 & sleep 1000; true"), 64 << 20));
  EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() == 3; }));
  EXPECT_THAT(driver_->Pids("nobody"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(driver_->Update(id_, R"({"memory": {"limit": 134217728}})"));
  const std::string v1 = "/sys/fs/cgroup/memory/crisp-test/" + id_ + "/memory.limit_in_bytes";
  const std::string v2 = "/sys/fs/cgroup/crisp-test/" + id_ + "/memory.max";
  EXPECT_THAT(ReadFile(::access(v1.c_str(), F_OK) == 0 ? v1 : v2), IsOkAndHolds("134217728\n"));
  EXPECT_THAT(driver_->Update("nobody", "{}"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_P(TaskDriverTest, OutOfMemoryIsTold) {
  Run(env_->Spec(id_, {"tail", "/dev/zero"}, 16 << 20));
  const TaskExit exit = exits_.Wait(id_, absl::Seconds(60));
  EXPECT_EQ(exit.exit_code, 137);
  EXPECT_TRUE(exit.oom_killed);
  EXPECT_TRUE(driver_->State(id_)->exit.oom_killed);
}

TEST_P(TaskDriverTest, AChildOutOfMemoryIsNotTheContainersEnd) {
  Run(env_->Spec(id_, Sh("tail /dev/zero; echo child $?; exit 3"), 16 << 20));
  const TaskExit exit = exits_.Wait(id_, absl::Seconds(60));
  EXPECT_EQ(exit.exit_code, 3);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_THAT(env_->Log(id_), HasSubstr("child 137"));
}

TEST_P(TaskDriverTest, ExecGivesOutputAndExitCode) {
  RunSleeper();
  ASSERT_OK_AND_ASSIGN(ExecResult result, Exec(Sh("echo out; echo err >&2; exit 5")));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 5);
  ASSERT_OK_AND_ASSIGN(result, Exec({"true"}, absl::Seconds(30)));
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_P(TaskDriverTest, ExecThatCannotStartSaysWhy) {
  RunSleeper();
  EXPECT_THAT(Exec({"no-such-program"}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("no-such-program")));
  EXPECT_THAT(driver_->ExecSync("nobody", DriverTestEnv::ProcessJson({"true"}), kNone),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(driver_->Kill(id_, SIGKILL, false));
  exits_.Wait(id_);
  EXPECT_THAT(Exec({"true"}), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_P(TaskDriverTest, ExecIsKilledAtItsTimeout) {
  RunSleeper();
  const absl::Duration start = Clock::Real()->Steady();
  EXPECT_THAT(Exec({"sleep", "500"}, absl::Seconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_LT(Clock::Real()->Steady() - start, absl::Seconds(60));
  EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() == 1; }));
}

TEST_P(TaskDriverTest, ExecOutputIsCutAt16MiB) {
  RunSleeper();
  ASSERT_OK_AND_ASSIGN(const ExecResult result,
                       Exec(Sh("yes | head -c 20000000; echo done >&2; exit 1")));
  EXPECT_EQ(result.out.size(), 16u << 20);
  EXPECT_EQ(result.err, "done\n");
  EXPECT_EQ(result.exit_code, 1);
}

TEST_P(TaskDriverTest, AChildThatKeepsTheStreamsDoesNotHoldUpExec) {
  RunSleeper();
  const absl::Duration start = Clock::Real()->Steady();
  ASSERT_OK_AND_ASSIGN(const ExecResult result, Exec(Sh("sleep 500 & echo gone")));
  EXPECT_EQ(result.out, "gone\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_LT(Clock::Real()->Steady() - start, absl::Seconds(60));
}

TEST_P(TaskDriverTest, ExecsRunBesideEachOther) {
  RunSleeper();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const auto result = Exec(Sh(absl::StrCat("echo ", i, "; exit ", i)));
      if (result.ok() && result->out == absl::StrCat(i, "\n") && result->exit_code == i) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16);
}

TEST_P(TaskDriverTest, ALogIsRotatedWhileItIsWritten) {
  Run(env_->Spec(id_, Sh("i=0; while [ $i -lt 300 ]; do echo line $i; usleep 2000; "
                         "i=$((i+1)); done")));
  const std::string path = env_->LogPath(id_);
  for (int i = 0; i < 5; ++i) {
    absl::SleepFor(absl::Milliseconds(100));
    ASSERT_EQ(::rename(path.c_str(), absl::StrCat(path, ".", i).c_str()), 0);
    ASSERT_OK(driver_->ReopenLog(id_));
  }
  EXPECT_EQ(exits_.Wait(id_).exit_code, 0);
  std::string all;
  for (int i = 0; i < 5; ++i) {
    all += ReadFile(absl::StrCat(path, ".", i)).value_or("");
  }
  all += ReadFile(path).value_or("");
  std::vector<std::string> lines = absl::StrSplit(all, '\n', absl::SkipEmpty());
  ASSERT_THAT(lines, SizeIs(300));
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(absl::EndsWith(lines[i], absl::StrCat(" F line ", i)));
  EXPECT_THAT(driver_->ReopenLog("nobody"), StatusIs(absl::StatusCode::kNotFound));
}

// As when crispd is restarted: the container never notices.
TEST_P(TaskDriverTest, ASuccessorAdoptsARunningTask) {
  const TaskSpec spec = env_->Spec(
      id_, Sh("i=0; while [ $i -lt 400 ]; do echo line $i; usleep 2000; i=$((i+1)); done; exit 9"));
  Run(spec);
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(env_->Log(id_), "line 20"); }));
  driver_.reset();
  absl::SleepFor(absl::Milliseconds(200));
  OpenDriver();
  ASSERT_OK(driver_->Adopt(spec));
  EXPECT_THAT(driver_->Adopt(spec), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 9);
  EXPECT_EQ(exits_.Count(id_), 1u);
  std::string expected;
  for (int i = 0; i < 400; ++i) absl::StrAppend(&expected, "stdout F line ", i, "\n");
  EXPECT_EQ(env_->Log(id_), expected);
}

TEST_P(TaskDriverTest, AFileAmongTheShimsHindersNoStart) {
  if (!native()) GTEST_SKIP() << "only the native driver has shims of its own";
  RunSleeper();
  driver_.reset();
  const std::string stray = env_->dir() + "/shims/stray";
  ASSERT_OK(WriteFileAtomic(stray, "", 0600));
  OpenDriver();
  EXPECT_EQ(::unlink(stray.c_str()), 0);
  ASSERT_NE(driver_, nullptr);
  EXPECT_THAT(Tasks(), IsOkAndHolds(Contains(id_)));
}

TEST_P(TaskDriverTest, ASuccessorLearnsOfAnExitThatNobodySaw) {
  const TaskSpec spec = env_->Spec(id_, Sh("usleep 300000; exit 4"));
  Run(spec);
  driver_.reset();
  absl::SleepFor(absl::Milliseconds(600));
  OpenDriver();
  ASSERT_OK(driver_->Adopt(spec));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 4);
}

TEST_P(TaskDriverTest, AnAdoptedTaskThatIsGoneIsLost) {
  ASSERT_OK(driver_->Adopt(env_->Spec(id_, {"true"})));
  const TaskExit exit = exits_.Wait(id_);
  EXPECT_TRUE(exit.lost);
  EXPECT_EQ(exit.exit_code, kLostExitCode);
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(ContainerdDriverTest, ContainerdDiesAndComesBack) {
  const std::string quick = id_ + "-quick";
  Run(env_->Spec(id_, Sh("while :; do echo tick; usleep 50000; done")));
  Run(env_->Spec(quick, Sh("sleep 2; exit 6")));
  env_->KillContainerd(SIGKILL);
  EXPECT_THAT(driver_->State(id_), StatusIs(absl::StatusCode::kUnavailable));
  const std::string before = env_->Log(id_);
  absl::SleepFor(absl::Milliseconds(2500));
  EXPECT_GT(env_->Log(id_).size(), before.size()) << "output stops without containerd";
  EXPECT_EQ(exits_.Count(quick), 0u);
  ASSERT_OK(env_->StartContainerd());
  EXPECT_EQ(exits_.Wait(quick).exit_code, 6);
  ASSERT_TRUE(Eventually([&] { return driver_->State(id_).ok(); }));
  EXPECT_EQ(driver_->State(id_)->status, TaskStatus::kRunning);
  EXPECT_OK(driver_->Kill(id_, SIGKILL, false));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 137);
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(ContainerdDriverTest, AnExecOutlivesContainerd) {
  RunSleeper();
  std::thread restart([&] {
    EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() > 2; }));
    env_->KillContainerd(SIGKILL);
    EXPECT_OK(env_->StartContainerd());
  });
  const auto result = Exec(Sh("echo before; sleep 3; echo after; exit 2"), absl::Seconds(60));
  restart.join();
  ASSERT_OK(result);
  EXPECT_EQ(result->out, "before\nafter\n");
  EXPECT_EQ(result->exit_code, 2);
}

TEST_P(TaskDriverTest, AKilledShimTakesItsTaskWithIt) {
  ASSERT_OK_AND_ASSIGN(const uint32_t pid, driver_->Create(env_->Spec(id_, {"sleep", "1000"})));
  ASSERT_OK(driver_->Start(id_));
  ASSERT_OK_AND_ASSIGN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat")));
  const std::vector<std::string> words = absl::StrSplit(stat, ' ');
  const pid_t shim = std::stoi(words[3]);
  ASSERT_GT(shim, 1);
  ASSERT_EQ(::kill(shim, SIGKILL), 0);
  const TaskExit exit = exits_.Wait(id_);
  EXPECT_THAT(exit.exit_code, AnyOf(Eq(137), Eq(kLostExitCode)));
  EXPECT_TRUE(Eventually([&] { return ::kill(static_cast<pid_t>(pid), 0) != 0; }));
  EXPECT_OK(driver_->Delete(id_));
  EXPECT_EQ(exits_.Count(id_), 1u);
}

TEST_P(TaskDriverTest, WaitingHoldsNoThreads) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                         std::filesystem::directory_iterator());
  };
  RunSleeper();
  const auto before = threads();
  for (int i = 0; i < 12; ++i) {
    Run(env_->Spec(absl::StrCat(id_, "-", i), {"sleep", "1000"}));
  }
  EXPECT_LE(threads(), before + 4);
}

// What a session's process writes until its end; input is written first.
struct Carried {
  std::string out, err;
};

// Carries a session's streams until its outputs have ended or `timeout` passes.
Carried Carry(TaskSession& session, std::string input = "",
              absl::Duration timeout = absl::Seconds(60)) {
  Carried carried;
  const absl::Duration deadline = Clock::Real()->Steady() + timeout;
  int out = session.stdout_fd(), err = session.stderr_fd();
  absl::string_view left = input;
  while ((out >= 0 || err >= 0) && Clock::Real()->Steady() < deadline) {
    pollfd fds[] = {
        {out, POLLIN, 0}, {err, POLLIN, 0}, {left.empty() ? -1 : session.stdin_fd(), POLLOUT, 0}};
    ::poll(fds, 3, 100);
    for (int* fd : {&out, &err}) {
      char buffer[64 << 10];
      const ssize_t n = *fd < 0 ? -1 : ::read(*fd, buffer, sizeof(buffer));
      if (n > 0) (fd == &out ? carried.out : carried.err).append(buffer, static_cast<size_t>(n));
      if (n == 0) *fd = -1;
    }
    if (left.empty()) continue;
    const ssize_t n = ::write(session.stdin_fd(), left.data(), left.size());
    if (n > 0) left.remove_prefix(static_cast<size_t>(n));
    if (n > 0 && left.empty()) session.CloseStdin();
  }
  return carried;
}

// The exit code that a session tells.
class SessionExit {
 public:
  explicit SessionExit(TaskSession& session) {
    session.OnExit([this](const absl::StatusOr<int>& code) {
      code_ = code;
      told_.Notify();
    });
  }
  absl::StatusOr<int> Wait() {
    if (!told_.WaitForNotificationWithTimeout(absl::Seconds(60))) {
      return absl::DeadlineExceededError("not told");
    }
    return code_;
  }

 private:
  absl::Notification told_;
  absl::StatusOr<int> code_ = absl::UnknownError("not told");
};

constexpr SessionStreams kAllStreams = {.stdin = true, .stdout = true, .stderr = true};

TEST_P(TaskDriverTest, AnExecSessionCarriesAllThreeStreams) {
  RunSleeper();
  ASSERT_OK_AND_ASSIGN(
      auto session,
      driver_->Exec(id_, DriverTestEnv::ProcessJson(Sh("cat; echo err >&2; exit 4")), kAllStreams));
  SessionExit exit(*session);
  std::string big;
  for (int i = 0; i < 200000; ++i) absl::StrAppend(&big, "line ", i, "\n");
  const Carried carried = Carry(*session, big);
  EXPECT_EQ(carried.out, big);
  EXPECT_EQ(carried.err, "err\n");
  EXPECT_THAT(exit.Wait(), IsOkAndHolds(4));
}

TEST_P(TaskDriverTest, AnExecSessionThatCannotStartSaysWhy) {
  RunSleeper();
  EXPECT_THAT(driver_->Exec(id_, DriverTestEnv::ProcessJson({"no-such-program"}), kAllStreams),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("no-such-program")));
  EXPECT_THAT(driver_->Exec("nobody", DriverTestEnv::ProcessJson({"true"}), kAllStreams),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver_->Attach("nobody", kAllStreams), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(driver_->Kill(id_, SIGKILL, false));
  exits_.Wait(id_);
  EXPECT_THAT(driver_->Exec(id_, DriverTestEnv::ProcessJson({"true"}), kAllStreams),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(driver_->Attach(id_, kAllStreams), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_P(TaskDriverTest, ATerminalSessionHasASizeAndSignals) {
  RunSleeper();
  ASSERT_OK_AND_ASSIGN(
      auto session,
      driver_->Exec(id_,
                    DriverTestEnv::ProcessJson(
                        Sh("trap 'stty size; exit 6' HUP; echo ready; while :; do read x; done"),
                        /*tty=*/true),
                    {.stdin = true, .stdout = true, .terminal = true}));
  SessionExit exit(*session);
  session->Resize(80, 24);
  session->Resize(81, 25);
  session->Resize(132, 43);
  std::string seen;
  ASSERT_TRUE(Eventually([&] {
    char buffer[256];
    const ssize_t n = ::read(session->stdout_fd(), buffer, sizeof(buffer));
    if (n > 0) seen.append(buffer, static_cast<size_t>(n));
    return absl::StrContains(seen, "ready");
  }));
  absl::SleepFor(absl::Milliseconds(300));  // The last size is on its way.
  EXPECT_OK(session->Signal(SIGHUP));
  EXPECT_THAT(Carry(*session).out, HasSubstr("43 132"));
  EXPECT_THAT(exit.Wait(), IsOkAndHolds(6));
  EXPECT_OK(session->Signal(SIGHUP));
}

// Its client has gone: the process neither dies nor waits for a reader.
TEST_P(TaskDriverTest, AnAbandonedExecEndsItsInputAndRunsOn) {
  RunSleeper();
  ASSERT_OK_AND_ASSIGN(
      auto session,
      driver_->Exec(id_,
                    DriverTestEnv::ProcessJson(
                        Sh("cat; yes | head -c 1000000; echo on > /tmp/ran; sleep 1000")),
                    kAllStreams));
  // Init, the shell, and what the shell runs once it has started it.
  EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() == 3; }));
  session.reset();
  EXPECT_TRUE(Eventually([&] { return Exec({"cat", "/tmp/ran"})->out == "on\n"; }));
  // The shell becomes its last command.
  EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() == 2; }));
  EXPECT_OK(driver_->Kill(id_, SIGKILL, true));
  exits_.Wait(id_);
}

TEST_P(TaskDriverTest, AbandonedExecsLeaveNoDescriptors) {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  RunSleeper();
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    ASSERT_OK_AND_ASSIGN(auto session,
                         driver_->Exec(id_, DriverTestEnv::ProcessJson({"cat"}), kAllStreams));
  }
  EXPECT_TRUE(Eventually([&] { return descriptors() <= before; }));
  EXPECT_TRUE(Eventually([&] { return driver_->Pids(id_)->size() == 1; }));
}

TEST_P(TaskDriverTest, AnAttachedReaderSeesWhatTheLogSees) {
  Run(env_->Spec(id_, Sh("sleep 1; echo out; echo err >&2; exit 3")));
  ASSERT_OK_AND_ASSIGN(auto session, driver_->Attach(id_, {.stdout = true, .stderr = true}));
  ASSERT_OK_AND_ASSIGN(auto gone, driver_->Attach(id_, {.stdout = true, .stderr = true}));
  gone.reset();
  SessionExit exit(*session);
  const Carried carried = Carry(*session);
  EXPECT_EQ(carried.out, "out\n");
  EXPECT_EQ(carried.err, "err\n");
  EXPECT_FALSE(session->fell_behind());
  EXPECT_THAT(exit.Wait(), IsOkAndHolds(3));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 3);
  EXPECT_THAT(env_->Log(id_), HasSubstr("stdout F out\n"));
}

TEST_P(TaskDriverTest, AnAttachedReaderThatStallsHoldsNobodyUp) {
  Run(env_->Spec(id_, Sh("sleep 1; yes | head -c 8000000; exit 0")));
  ASSERT_OK_AND_ASSIGN(auto session, driver_->Attach(id_, {.stdout = true}));
  EXPECT_EQ(exits_.Wait(id_).exit_code, 0);
  EXPECT_TRUE(session->fell_behind());
  EXPECT_LE(Carry(*session).out.size(), 1u << 20);
}

// The input stays open for the next one to attach, unless it is to be used once.
TEST_P(TaskDriverTest, AttachedInputEndsWithStdinOnceOnly) {
  for (const bool once : {false, true}) {
    const std::string id = absl::StrCat(id_, once ? "-once" : "-kept");
    TaskSpec spec = env_->Spec(id, Sh("while read x; do echo got $x; done; echo end; exit 5"));
    spec.stdin = true;
    spec.stdin_once = once;
    Run(spec);
    for (int i = 0; i < (once ? 1 : 2); ++i) {
      ASSERT_OK_AND_ASSIGN(auto session, driver_->Attach(id, kAllStreams));
      const std::string line = absl::StrCat("line", i, "\n");
      ASSERT_EQ(::write(session->stdin_fd(), line.data(), line.size()),
                static_cast<ssize_t>(line.size()));
      ASSERT_TRUE(Eventually(
          [&] { return absl::StrContains(env_->Log(id), absl::StrCat("got line", i)); }));
      session.reset();
    }
    if (once) {
      EXPECT_EQ(exits_.Wait(id).exit_code, 5);
      EXPECT_THAT(env_->Log(id), HasSubstr("stdout F end\n"));
    } else {
      absl::SleepFor(absl::Milliseconds(300));
      EXPECT_EQ(exits_.Count(id), 0u);
      EXPECT_EQ(driver_->State(id)->status, TaskStatus::kRunning);
    }
  }
}

}  // namespace
}  // namespace crisp::cri

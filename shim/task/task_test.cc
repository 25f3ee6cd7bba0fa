#include "shim/task/task.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/loop/run_until.h"
#include "shim/task/fake_launcher.h"
#include "shim/task/task_record.h"
#include "shim/task/tasks.h"

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Args(const std::string& shell, const std::string& more = "") {
  return absl::StrCat("{", more, "\"args\":[\"/bin/sh\",\"-c\",\"", shell, "\"]}");
}
std::string Spec(const std::string& shell, const std::string& more = "") {
  return absl::StrCat("{", more, "\"process\":", Args(shell), "}");
}

class TaskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "task.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_OK_AND_ASSIGN(children_, Children::Create(loop_.get()));
    events_ = std::make_unique<TaskEvents>([this](absl::string_view topic, absl::string_view,
                                                  const google::protobuf::MessageLite& event) {
      std::string what(topic.substr(sizeof("/tasks/") - 1));
      if (topic == "/tasks/exit") {
        wire::TaskExit exit;
        exit.ParseFromString(event.SerializeAsString());
        absl::StrAppend(&what, " ", exit.id(), " ", exit.exit_status());
      }
      happened_.push_back(std::move(what));
    });
    context_.loop = loop_.get();
    context_.children = children_.get();
    context_.events = events_.get();
    context_.launcher = FakeLauncher();
    context_.exit_directory = dir_;
    tasks_ = std::make_unique<Tasks>(&context_);
  }
  void TearDown() override {
    tasks_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }

  absl::StatusOr<pid_t> Create(const std::string& id, const std::string& spec,
                               const std::string& bundle = "") {
    NewTask task;
    task.launch.id = id;
    task.launch.bundle = bundle;
    task.launch.spec_json = spec;
    task.io = std::make_unique<ProcessIo>(loop_.get(), false);
    absl::StatusOr<pid_t> result = absl::UnknownError("no answer");
    bool answered = false;
    tasks_->Create(std::move(task), [&](absl::StatusOr<pid_t> pid) {
      result = std::move(pid);
      answered = true;
    });
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return answered; }));
    return result;
  }
  absl::StatusOr<pid_t> Start(const std::string& id, const std::string& exec_id = "") {
    absl::StatusOr<pid_t> result = absl::UnknownError("no answer");
    bool answered = false;
    Get(id)->Start(exec_id, [&](absl::StatusOr<pid_t> pid) {
      result = std::move(pid);
      answered = true;
    });
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return answered; }));
    return result;
  }
  absl::Status AddExec(const std::string& id, const std::string& exec_id, const std::string& json) {
    return Get(id)->AddExec(exec_id, json, std::make_unique<ProcessIo>(loop_.get(), false), {});
  }
  absl::StatusOr<ExitRecord> Wait(const std::string& id, const std::string& exec_id = "") {
    return Await([&](Task::ExitCallback done) { Get(id)->Wait(exec_id, std::move(done)); });
  }
  absl::StatusOr<ExitRecord> Delete(const std::string& id, const std::string& exec_id = "") {
    return Await([&](Task::ExitCallback done) { Get(id)->Delete(exec_id, std::move(done)); });
  }
  absl::StatusOr<ExitRecord> Await(const std::function<void(Task::ExitCallback)>& call) {
    absl::StatusOr<ExitRecord> result = absl::UnknownError("no answer");
    bool answered = false;
    call([&](absl::StatusOr<ExitRecord> exit) {
      result = std::move(exit);
      answered = true;
    });
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return answered; }));
    return result;
  }
  absl::StatusOr<Task::ExecResult> ExecSync(const std::string& id, const std::string& shell,
                                            absl::Duration timeout = absl::InfiniteDuration(),
                                            absl::Duration drain = absl::Seconds(5),
                                            size_t max = 1 << 20) {
    absl::StatusOr<Task::ExecResult> result = absl::UnknownError("no answer");
    bool answered = false;
    Get(id)->ExecSync({Args(shell), timeout, max, drain}, [&](absl::StatusOr<Task::ExecResult> r) {
      result = std::move(r);
      answered = true;
    });
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return answered; }));
    return result;
  }
  Task* Get(const std::string& id) {
    auto task = tasks_->Find(id);
    EXPECT_OK(task);
    return *task;
  }

  std::string dir_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<TaskEvents> events_;
  TaskContext context_;
  std::unique_ptr<Tasks> tasks_;
  std::vector<std::string> happened_;
};

TEST_F(TaskTest, ALife) {
  ASSERT_OK(Create("a", Spec("exit 3")));
  EXPECT_EQ(Get("a")->init().state, State::kCreated);
  ASSERT_OK_AND_ASSIGN(const pid_t pid, Start("a"));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a"));
  EXPECT_EQ(exit.pid, pid);
  EXPECT_EQ(exit.exit_code, 3);
  ASSERT_OK_AND_ASSIGN(const ExitRecord deleted, Delete("a"));
  EXPECT_EQ(deleted.exit_code, 3);
  EXPECT_TRUE(tasks_->empty());
  EXPECT_THAT(happened_, ElementsAre("create", "start", "exit a 3", "delete"));
}

TEST_F(TaskTest, TheExitIsOnDiskBeforeAnybodyHears) {
  ASSERT_OK(Create("a", Spec("exit 5")));
  bool recorded = false;
  Get("a")->Wait("", [&](const absl::StatusOr<ExitRecord>&) {
    const auto record = ReadExitRecord(JoinPath(dir_, "a.json"));
    recorded = record.ok() && record->exit_code == 5;
  });
  ASSERT_OK(Start("a"));
  ASSERT_OK(Wait("a"));
  EXPECT_TRUE(recorded);
  ASSERT_OK(Delete("a"));
  EXPECT_THAT(ReadExitRecord(JoinPath(dir_, "a.json")), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TaskTest, ABundleGetsItsRecords) {
  const std::string bundle = JoinPath(dir_, "bundle");
  ASSERT_OK(MakeDirs(bundle, 0700));
  ASSERT_OK_AND_ASSIGN(const pid_t pid, Create("a", Spec("sleep 60"), bundle));
  ASSERT_OK_AND_ASSIGN(const TaskRecord task, ReadTaskRecord(bundle));
  EXPECT_EQ(task.pid, pid);
  EXPECT_EQ(task.start_time, StartTimeOf(pid));
  EXPECT_GT(task.start_time, 0U);
  ASSERT_OK(Start("a"));
  ASSERT_OK(Get("a")->Kill("", SIGTERM, false));
  ASSERT_OK(Wait("a"));
  ASSERT_OK(Delete("a"));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, ReadExitRecord(JoinPath(bundle, "exit.json")));
  EXPECT_EQ(exit.exit_code, 128 + SIGTERM);
}

TEST_F(TaskTest, ACreatedTaskCanBeDeleted) {
  ASSERT_OK(Create("a", Spec("exit 0")));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Delete("a"));
  EXPECT_EQ(exit.exit_code, 128 + SIGKILL);
  EXPECT_TRUE(tasks_->empty());
  EXPECT_THAT(happened_, ElementsAre("create", "exit a 137", "delete"));
}

TEST_F(TaskTest, AFailedCreateLeavesNothing) {
  EXPECT_THAT(Create("a", Spec("exit 0", "\"fail\":\"create\",")),
              StatusIs(absl::StatusCode::kInvalidArgument));
  RunFor(loop_.get(), absl::Milliseconds(10));
  EXPECT_TRUE(tasks_->empty());
  EXPECT_THAT(happened_, IsEmpty());
  EXPECT_OK(Create("a", Spec("exit 0")));
}

TEST_F(TaskTest, AFailedStartIsToldAndEndsTheTask) {
  ASSERT_OK(Create("a", Spec("exit 0", "\"fail\":\"start\",")));
  EXPECT_THAT(Start("a"), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("execve")));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a"));
  EXPECT_EQ(exit.exit_code, 1);
  EXPECT_THAT(Start("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(Delete("a"));
  EXPECT_THAT(happened_, ElementsAre("create", "exit a 1", "delete"));
}

TEST_F(TaskTest, IdsAreUniqueAndFit) {
  ASSERT_OK(Create("a", Spec("sleep 60")));
  EXPECT_THAT(Create("a", Spec("exit 0")), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(Create("../a", Spec("exit 0")), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(Start("a"));
  ASSERT_OK(AddExec("a", "e", Args("exit 0")));
  EXPECT_THAT(AddExec("a", "e", Args("exit 0")), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(AddExec("a", "", Args("exit 0")), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(Get("a")->Kill("", SIGKILL, false));
  ASSERT_OK(Wait("a"));
}

TEST_F(TaskTest, FastProcessesExitAfterTheirStart) {
  for (int round = 0; round < 50; ++round) {
    happened_.clear();
    ASSERT_OK(Create("a", Spec("exit 0")));
    ASSERT_OK(Start("a"));
    ASSERT_OK(Wait("a"));
    ASSERT_OK(Delete("a"));
    ASSERT_THAT(happened_, ElementsAre("create", "start", "exit a 0", "delete"));
  }
}

// It "ended before it ran": its worker, not yet gone, kept the socket open whose end says
// that execve succeeded.
TEST_F(TaskTest, ATaskThatIsFasterThanItsWorkerHasRun) {
  ASSERT_OK(Create("a", Spec("exit 3", "\"slowWorker\":true,")));
  ASSERT_OK(Start("a"));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a"));
  EXPECT_EQ(exit.exit_code, 3);
  ASSERT_OK(Delete("a"));
  EXPECT_THAT(happened_, ElementsAre("create", "start", "exit a 3", "delete"));
}

TEST_F(TaskTest, AFailedStartIsToldThoughTheWorkerIsSlow) {
  ASSERT_OK(Create("a", Spec("exit 0", "\"fail\":\"start\",\"slowWorker\":true,")));
  EXPECT_THAT(Start("a"), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("execve")));
  ASSERT_OK(Wait("a"));
  ASSERT_OK(Delete("a"));
  EXPECT_THAT(happened_, ElementsAre("create", "exit a 1", "delete"));
}

// Its end was asked for only once the worker was gone; of ends that nobody asks for 64 are
// kept, and that of an exec among many was lost.
TEST_F(TaskTest, AnExecThatIsFasterThanItsWorkerHasRun) {
  ASSERT_OK(Create("a", Spec("sleep 60")));
  ASSERT_OK(Start("a"));
  happened_.clear();
  ASSERT_OK(AddExec("a", "e", Args("exit 4", "\"slowWorker\":true,")));
  ASSERT_OK(Start("a", "e"));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a", "e"));
  EXPECT_EQ(exit.exit_code, 4);
  EXPECT_THAT(happened_, ElementsAre("exec-added", "exec-started", "exit e 4"));
  ASSERT_OK(Delete("a", "e"));
  ASSERT_OK(Get("a")->Kill("", SIGKILL, false));
  ASSERT_OK(Wait("a"));
}

TEST_F(TaskTest, AnExecsLife) {
  ASSERT_OK(Create("a", Spec("sleep 60")));
  EXPECT_OK(AddExec("a", "early", Args("exit 0")));
  EXPECT_THAT(Start("a", "early"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(Delete("a", "early"));
  ASSERT_OK(Start("a"));
  happened_.clear();
  ASSERT_OK(AddExec("a", "e", Args("exit 4")));
  EXPECT_THAT(Get("a")->Kill("e", SIGTERM, false), StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(Start("a", "e"));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a", "e"));
  EXPECT_EQ(exit.exit_code, 4);
  EXPECT_THAT(Get("a")->Kill("e", SIGTERM, false), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(Delete("a", "e"));
  EXPECT_THAT(Get("a")->Find("e"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(happened_, ElementsAre("exec-added", "exec-started", "exit e 4"));
  ASSERT_OK(Get("a")->Kill("", SIGKILL, false));
  ASSERT_OK(Wait("a"));
}

TEST_F(TaskTest, AnExecThatCannotStartHasAnEnd) {
  ASSERT_OK(Create("a", Spec("sleep 60")));
  ASSERT_OK(Start("a"));
  ASSERT_OK(AddExec("a", "e", Args("exit 0", "\"fail\":\"start\",")));
  EXPECT_THAT(Start("a", "e"), StatusIs(absl::StatusCode::kPermissionDenied));
  ASSERT_OK_AND_ASSIGN(const ExitRecord exit, Wait("a", "e"));
  EXPECT_EQ(exit.exit_code, 126);
  ASSERT_OK(Delete("a", "e"));
  ASSERT_OK(Get("a")->Kill("", SIGKILL, false));
  ASSERT_OK(Wait("a"));
}

TEST_F(TaskTest, InitsExitIsTheLast) {
  ASSERT_OK(Create("a", Spec("sleep 60", "\"sharedPid\":true,")));
  ASSERT_OK(Start("a"));
  for (const char* id : {"x", "y"}) {
    ASSERT_OK(AddExec("a", id, Args("sleep 60")));
    ASSERT_OK(Start("a", id));
  }
  happened_.clear();
  // Without a pid namespace of its own the shim ends the rest.
  ASSERT_OK(Get("a")->Kill("", SIGTERM, false));
  ASSERT_OK(Wait("a"));
  ASSERT_EQ(happened_.size(), 3U);
  EXPECT_THAT((std::vector<std::string>{happened_[0], happened_[1]}),
              UnorderedElementsAre("exit x 137", "exit y 137"));
  EXPECT_EQ(happened_[2], "exit a 143");
}

TEST_F(TaskTest, ARunningTaskIsNotDeleted) {
  ASSERT_OK(Create("a", Spec("sleep 60")));
  ASSERT_OK(Start("a"));
  EXPECT_THAT(Delete("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Start("a"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Get("a")->Kill("", 65, false), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Get("a")->Pause(), StatusIs(absl::StatusCode::kFailedPrecondition));  // No cgroup.
  EXPECT_THAT(Get("a")->Stats(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Get("a")->Pids(), ElementsAre(Get("a")->init().pid));
  ASSERT_OK(Get("a")->Kill("", SIGKILL, true));
  ASSERT_OK(Wait("a"));
  EXPECT_THAT(Get("a")->Kill("", SIGKILL, false), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Get("a")->Pids(), ElementsAre(Get("a")->init().pid)) << "empty means lost";
}

// --- ExecSync

class ExecSyncTest : public TaskTest {
 protected:
  void SetUp() override {
    TaskTest::SetUp();
    ASSERT_OK(Create("a", Spec("sleep 60")));
    ASSERT_OK(Start("a"));
  }
  void TearDown() override {
    RunFor(loop_.get(), absl::Milliseconds(10));
    EXPECT_THAT(Get("a")->execs(), IsEmpty());
    (void)Get("a")->Kill("", SIGKILL, false);
    EXPECT_OK(Wait("a"));
    TaskTest::TearDown();
  }
};

TEST_F(ExecSyncTest, CollectsOutputAndExitCode) {
  ASSERT_OK_AND_ASSIGN(const auto result, ExecSync("a", "echo out; echo err >&2; exit 9"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 9);
}

TEST_F(ExecSyncTest, OutputOverTheBoundIsReadAndDropped) {
  ASSERT_OK_AND_ASSIGN(const auto result,
                       ExecSync("a", "head -c 3000000 /dev/zero; echo end >&2",
                                absl::InfiniteDuration(), absl::Seconds(5), 1000));
  EXPECT_EQ(result.out.size(), 1000U);
  EXPECT_EQ(result.err, "end\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(ExecSyncTest, TheTimeoutKills) {
  const absl::Time began = absl::Now();
  EXPECT_THAT(ExecSync("a", "exec sleep 60", absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("200ms")));
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
}

TEST_F(ExecSyncTest, AChildThatKeepsTheStreamsIsNotWaitedForForEver) {
  ASSERT_OK_AND_ASSIGN(
      const auto result,
      ExecSync("a", "sleep 3 & echo done", absl::InfiniteDuration(), absl::Milliseconds(100)));
  EXPECT_EQ(result.out, "done\n");
}

TEST_F(ExecSyncTest, ACommandThatCannotRunIsAnError) {
  absl::StatusOr<Task::ExecResult> result = absl::UnknownError("");
  bool answered = false;
  Get("a")->ExecSync(
      {"{\"args\":[\"/no/such/file\"]}", absl::InfiniteDuration(), 1000, absl::ZeroDuration()},
      [&](absl::StatusOr<Task::ExecResult> r) {
        result = std::move(r);
        answered = true;
      });
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return answered; }));
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ExecSyncTest, ManyAtOnce) {
  int answers = 0;
  for (int i = 0; i < 20; ++i) {
    Get("a")->ExecSync({Args(absl::StrCat("echo ", i)), absl::Seconds(30), 1000, absl::Seconds(1)},
                       [&answers, i](absl::StatusOr<Task::ExecResult> r) {
                         ASSERT_OK(r);
                         EXPECT_EQ(r->out, absl::StrCat(i, "\n"));
                         ++answers;
                       });
  }
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return answers == 20; }));
}

// --- The log of events

TEST(EventLog, KeepsEventsUntilTheyAreTaken) {
  EventLog log;
  const auto event = [](const char* id) {
    v1::Event e;
    e.set_id(id);
    e.mutable_oom();
    return e;
  };
  log.Add(event("a"));
  log.Add(event("b"));
  std::vector<std::string> seen;
  uint64_t last = 0;
  const auto take = [&](const v1::WatchResponse& response) {
    for (const v1::Event& e : response.events()) {
      seen.push_back(e.id());
      last = e.sequence();
    }
  };
  log.Watch(0, take);
  EXPECT_THAT(seen, ElementsAre("a", "b"));
  log.Watch(0, take);  // A client that lost the answer asks again.
  EXPECT_THAT(seen, ElementsAre("a", "b", "a", "b"));
  log.Watch(last, take);
  EXPECT_EQ(seen.size(), 4U);
  log.Add(event("c"));
  EXPECT_THAT(seen, ElementsAre("a", "b", "a", "b", "c"));
}

}  // namespace
}  // namespace crisp::shim

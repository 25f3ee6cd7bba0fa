#include "shim/service/service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "api/shim/v1/shim.pb.h"
#include "api/shim/wire/bootstrap.pb.h"
#include "api/shim/wire/task.pb.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/loop/run_until.h"
#include "shim/service/metrics.h"
#include "shim/task/fake_launcher.h"
#include "shim/ttrpc/server.h"
#include "shim/ttrpc/test_client.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

constexpr char kTask[] = "containerd.task.v2.Task";
constexpr char kPod[] = "crisp.shim.v1.Shim";

std::string Args(const std::string& shell) {
  return absl::StrCat("{\"args\":[\"/bin/sh\",\"-c\",\"", shell, "\"]}");
}
std::string Spec(const std::string& shell) {
  return absl::StrCat("{\"process\":", Args(shell), "}");
}

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Short: a socket's path has 107 bytes.
    std::string pattern = "/tmp/crisp-service.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    ASSERT_OK_AND_ASSIGN(children_, Children::Create(loop_.get()));
    events_ = std::make_unique<TaskEvents>(
        [](absl::string_view, absl::string_view, const google::protobuf::MessageLite&) {});
    context_.loop = loop_.get();
    context_.children = children_.get();
    context_.events = events_.get();
    context_.launcher = FakeLauncher();
    context_.exit_directory = dir_;
    tasks_ = std::make_unique<Tasks>(&context_);
    service_ = std::make_unique<Service>(tasks_.get(), [this] { shut_down_ = true; });
    server_ = std::make_unique<TtrpcServer>(
        loop_.get(),
        [this](absl::string_view service, absl::string_view method, absl::string_view payload,
               Reply reply) { service_->Handle(service, method, payload, std::move(reply)); });
    ASSERT_OK(server_->Serve(ListenAt(JoinPath(dir_, "s"))));
    client_ = std::make_unique<TestClient>(loop_.get(), JoinPath(dir_, "s"));
  }
  void TearDown() override {
    for (const auto& [id, task] : tasks_->all()) (void)task->Kill("", SIGKILL, false);
    RunFor(loop_.get(), absl::Milliseconds(20));
    tasks_.reset();
    server_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }

  std::string Bundle(const std::string& id, const std::string& shell) {
    const std::string bundle = JoinPath(dir_, id);
    EXPECT_OK(MakeDirs(bundle, 0700));
    EXPECT_OK(WriteFileAtomic(JoinPath(bundle, "config.json"), Spec(shell), 0600));
    return bundle;
  }
  absl::Status Create(const std::string& id, const std::string& shell) {
    wire::CreateTaskRequest request;
    request.set_id(id);
    request.set_bundle(Bundle(id, shell));
    wire::CreateTaskResponse response;
    return client_->Call(kTask, "Create", request, &response);
  }
  template <typename Request>
  absl::Status Call(absl::string_view method, const std::string& id,
                    google::protobuf::MessageLite* response = nullptr,
                    const std::string& exec_id = "") {
    Request request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    return client_->Call(kTask, method, request, response);
  }
  wire::StateResponse StateOf(const std::string& id, const std::string& exec_id = "") {
    wire::StateResponse state;
    EXPECT_OK(Call<wire::StateRequest>("State", id, &state, exec_id));
    return state;
  }
  absl::Status Kill(const std::string& id, uint32_t signal) {
    wire::KillRequest kill;
    kill.set_id(id);
    kill.set_signal(signal);
    return client_->Call(kTask, "Kill", kill);
  }
  // A task of crispd's.
  absl::Status CreatePodTask(const std::string& id, const std::string& shell,
                             bool with_stdin = false) {
    v1::CreateRequest request;
    request.set_id(id);
    request.set_spec_json(Spec(shell));
    request.mutable_streams()->set_log_directory(dir_);
    request.mutable_streams()->set_log_path(absl::StrCat(id, "/0.log"));
    request.mutable_streams()->set_stdin(with_stdin);
    return client_->Call(kPod, "Create", request);
  }
  std::string Log(const std::string& id) {
    return ReadFile(JoinPath(dir_, absl::StrCat(id, "/0.log"))).value_or("");
  }

  std::string dir_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<TaskEvents> events_;
  TaskContext context_;
  std::unique_ptr<Tasks> tasks_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<TtrpcServer> server_;
  std::unique_ptr<TestClient> client_;
  bool shut_down_ = false;
};

TEST_F(ServiceTest, UnknownServicesAndMethodsAreUnimplemented) {
  EXPECT_THAT(
      client_->Call("containerd.runtime.sandbox.v1.Sandbox", "CreateSandbox", wire::Empty()),
      StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(client_->Call(kTask, "Migrate", wire::Empty()),
              StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(client_->Call("containerd.task.v3.Task", "Checkpoint", wire::Empty()),
              StatusIs(absl::StatusCode::kUnimplemented));
}

TEST_F(ServiceTest, ALifeAsContainerdLeadsIt) {
  ASSERT_OK(Create("a", "exit 3"));
  wire::ConnectRequest connect;
  connect.set_id("a");
  wire::ConnectResponse connected;
  ASSERT_OK(client_->Call("containerd.task.v3.Task", "Connect", connect, &connected));
  EXPECT_EQ(connected.shim_pid(), static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(StateOf("a").status(), wire::CREATED);
  EXPECT_EQ(StateOf("a").pid(), connected.task_pid());
  EXPECT_EQ(StateOf("a").bundle(), JoinPath(dir_, "a"));

  wire::WaitRequest wait;
  wait.set_id("a");
  const uint32_t waiting = client_->Send(kTask, "Wait", wait);
  wire::StartResponse started;
  ASSERT_OK(Call<wire::StartRequest>("Start", "a", &started));
  EXPECT_EQ(started.pid(), connected.task_pid());
  wire::WaitResponse waited;
  ASSERT_OK(client_->Answer(waiting, &waited));
  EXPECT_EQ(waited.exit_status(), 3U);
  EXPECT_GT(waited.exited_at().seconds(), 0);
  EXPECT_EQ(StateOf("a").status(), wire::STOPPED);
  EXPECT_EQ(StateOf("a").exit_status(), 3U);

  wire::ShutdownRequest shutdown;
  shutdown.set_id("a");
  ASSERT_OK(client_->Call(kTask, "Shutdown", shutdown));
  EXPECT_FALSE(shut_down_) << "there is a task";
  wire::DeleteResponse deleted;
  ASSERT_OK(Call<wire::DeleteRequest>("Delete", "a", &deleted));
  EXPECT_EQ(deleted.exit_status(), 3U);
  EXPECT_EQ(deleted.pid(), started.pid());
  ASSERT_OK(client_->Call(kTask, "Shutdown", shutdown));
  EXPECT_TRUE(shut_down_);
}

TEST_F(ServiceTest, WhatIsNotThereIsNotFound) {
  EXPECT_THAT(Call<wire::StateRequest>("State", "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Call<wire::StartRequest>("Start", "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Call<wire::DeleteRequest>("Delete", "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Call<wire::WaitRequest>("Wait", "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Kill("x", SIGTERM), StatusIs(absl::StatusCode::kNotFound));
  wire::ConnectRequest connect;
  connect.set_id("x");
  wire::ConnectResponse connected;
  EXPECT_OK(client_->Call(kTask, "Connect", connect, &connected)) << "the health check";
  EXPECT_EQ(connected.task_pid(), 0U);
}

TEST_F(ServiceTest, CreateChecksWhatItIsGiven) {
  wire::CreateTaskRequest request;
  request.set_id("a");
  EXPECT_THAT(client_->Call(kTask, "Create", request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bundle")));
  request.set_bundle("/no/such/bundle");
  EXPECT_THAT(client_->Call(kTask, "Create", request), StatusIs(absl::StatusCode::kNotFound));
  request.set_checkpoint("/somewhere");
  EXPECT_THAT(client_->Call(kTask, "Create", request), StatusIs(absl::StatusCode::kUnimplemented));
  request.clear_checkpoint();
  request.set_bundle(Bundle("a", "exit 0"));
  request.set_stdout("/no/such/fifo");
  EXPECT_THAT(client_->Call(kTask, "Create", request),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("stdout")));
  EXPECT_TRUE(tasks_->empty());
}

// What runc's options io_uid and io_gid say of a task's pipes holds for its execs' as well: of
// those a request says nothing.
TEST_F(ServiceTest, ExecsInheritWhoOwnsTheirPipes) {
  const std::string script = "stat -L -c %u:%g /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2";
  const std::string in = JoinPath(dir_, "in"), out = JoinPath(dir_, "out"),
                    err = JoinPath(dir_, "err");
  for (const std::string& fifo : {in, out, err}) ASSERT_EQ(::mkfifo(fifo.c_str(), 0700), 0);
  const UniqueFd reader(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const auto seen = [&] {
    std::string text;
    (void)RunUntil(loop_.get(), [&] {
      char buffer[256];
      const ssize_t n = ::read(reader.get(), buffer, sizeof(buffer));
      if (n > 0) text.append(buffer, static_cast<size_t>(n));
      return std::count(text.begin(), text.end(), '\n') == 3;
    });
    return text;
  };

  wire::CreateTaskRequest create;
  create.set_id("a");
  create.set_bundle(Bundle("a", absl::StrCat(script, "; exec sleep 60")));
  create.set_stdin(in);
  create.set_stdout(out);
  create.set_stderr(err);
  wire::RuncOptions options;
  options.set_io_uid(1234);
  options.set_io_gid(5678);
  create.mutable_options()->set_type_url("containerd.runc.v1.Options");
  create.mutable_options()->set_value(options.SerializeAsString());
  ASSERT_OK(client_->Call(kTask, "Create", create));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  const std::string owned = "1234:5678\n1234:5678\n1234:5678\n";
  EXPECT_EQ(seen(), owned);

  wire::ExecProcessRequest exec;
  exec.set_id("a");
  exec.set_exec_id("e");
  exec.set_stdin(in);
  exec.set_stdout(out);
  exec.set_stderr(err);
  exec.mutable_spec()->set_value(Args(script));
  ASSERT_OK(client_->Call(kTask, "Exec", exec));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a", nullptr, "e"));
  EXPECT_EQ(seen(), owned);
}

TEST_F(ServiceTest, AnExecWithFifos) {
  ASSERT_OK(Create("a", "sleep 60"));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  const std::string in = JoinPath(dir_, "in"), out = JoinPath(dir_, "out");
  ASSERT_EQ(::mkfifo(in.c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo(out.c_str(), 0700), 0);
  const UniqueFd reader(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  wire::ExecProcessRequest exec;
  exec.set_id("a");
  exec.set_exec_id("e");
  exec.set_stdin(in);
  exec.set_stdout(out);
  exec.mutable_spec()->set_value(Args("cat; exit 7"));
  ASSERT_OK(client_->Call(kTask, "Exec", exec));
  EXPECT_THAT(client_->Call(kTask, "Exec", exec), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(StateOf("a", "e").status(), wire::CREATED);
  ASSERT_OK(Call<wire::StartRequest>("Start", "a", nullptr, "e"));
  EXPECT_EQ(StateOf("a", "e").status(), wire::RUNNING);
  EXPECT_EQ(StateOf("a", "e").stdin(), in);

  wire::PidsRequest pids;
  pids.set_id("a");
  wire::PidsResponse listed;
  ASSERT_OK(client_->Call(kTask, "Pids", pids, &listed));
  ASSERT_EQ(listed.processes_size(), 2);
  EXPECT_FALSE(listed.processes(0).has_info());
  wire::ProcessDetails details;
  EXPECT_EQ(listed.processes(1).info().type_url(), "containerd.runc.v1.ProcessDetails");
  EXPECT_TRUE(details.ParseFromString(listed.processes(1).info().value()));
  EXPECT_EQ(details.exec_id(), "e");

  {
    const UniqueFd writer(::open(in.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_EQ(::write(writer.get(), "hello", 5), 5);
  }
  EXPECT_THAT(Call<wire::DeleteRequest>("Delete", "a", nullptr, "e"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  wire::CloseIORequest close;
  close.set_id("a");
  close.set_exec_id("e");
  close.set_stdin(true);
  ASSERT_OK(client_->Call(kTask, "CloseIO", close));
  wire::WaitResponse waited;
  ASSERT_OK(Call<wire::WaitRequest>("Wait", "a", &waited, "e"));
  EXPECT_EQ(waited.exit_status(), 7U);
  char buffer[16] = {};
  EXPECT_EQ(::read(reader.get(), buffer, sizeof(buffer)), 5);
  EXPECT_STREQ(buffer, "hello");
  ASSERT_OK(Call<wire::DeleteRequest>("Delete", "a", nullptr, "e"));
  EXPECT_THAT(Call<wire::StateRequest>("State", "a", nullptr, "e"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ServiceTest, PodTasksAreLoggedWatchedAndListed) {
  v1::WatchRequest watch;
  const uint32_t watching = client_->Send(kPod, "Watch", watch);
  ASSERT_OK(CreatePodTask("a", "echo hello; exit 2"));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  v1::WatchResponse events;
  ASSERT_OK(client_->Answer(watching, &events));
  ASSERT_EQ(events.events_size(), 1);
  EXPECT_EQ(events.events(0).id(), "a");
  EXPECT_EQ(events.events(0).exit().exit_code(), 2);
  EXPECT_FALSE(events.events(0).exit().oom_killed());
  EXPECT_THAT(Log("a"), HasSubstr(" stdout F hello\n")) << "the log is whole before the exit";

  v1::ListResponse list;
  ASSERT_OK(client_->Call(kPod, "List", v1::ListRequest(), &list));
  ASSERT_EQ(list.tasks_size(), 1);
  EXPECT_EQ(list.tasks(0).status(), wire::STOPPED);
  EXPECT_EQ(list.tasks(0).exit().exit_code(), 2);
  v1::AllStatsResponse stats;
  ASSERT_OK(client_->Call(kPod, "Stats", v1::AllStatsRequest(), &stats));
  EXPECT_EQ(stats.tasks_size(), 0);
  ASSERT_OK(Call<wire::DeleteRequest>("Delete", "a"));
}

TEST_F(ServiceTest, MountsComeFromATaskThatRuns) {
  v1::CreateRequest request;
  request.set_id("a");
  request.set_spec_json(Spec("sleep 60"));
  request.set_mounts_from("pause");
  EXPECT_THAT(client_->Call(kPod, "Create", request),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("mounts_from")));
  ASSERT_OK(CreatePodTask("pause", "sleep 60"));
  EXPECT_THAT(client_->Call(kPod, "Create", request),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(Call<wire::StartRequest>("Start", "pause"));
  EXPECT_OK(client_->Call(kPod, "Create", request));
}

TEST_F(ServiceTest, ExecSyncInOneCall) {
  ASSERT_OK(CreatePodTask("a", "sleep 60"));
  v1::ExecSyncRequest request;
  request.set_id("a");
  request.set_process_json(Args("printf out; printf err >&2; exit 6"));
  request.set_max_output_bytes(1 << 20);
  request.set_drain_ns(1'000'000'000);
  EXPECT_THAT(client_->Call(kPod, "ExecSync", request),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  v1::ExecSyncResponse response;
  ASSERT_OK(client_->Call(kPod, "ExecSync", request, &response));
  EXPECT_EQ(response.stdout(), "out");
  EXPECT_EQ(response.stderr(), "err");
  EXPECT_EQ(response.exit_code(), 6);
  request.set_process_json(Args("exec sleep 60"));
  request.set_timeout_ns(100'000'000);
  EXPECT_THAT(client_->Call(kPod, "ExecSync", request),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(ServiceTest, AnExecsOutputMayBeLong) {
  ASSERT_OK(CreatePodTask("a", "sleep 60"));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  v1::ExecSyncRequest request;
  request.set_id("a");
  request.set_process_json(Args("head -c 17000000 /dev/zero; head -c 5000000 /dev/zero >&2"));
  request.set_max_output_bytes(1 << 30);
  request.set_drain_ns(5'000'000'000);
  v1::ExecSyncResponse response;
  ASSERT_OK(client_->Call(kPod, "ExecSync", request, &response));
  EXPECT_EQ(response.stdout().size(), 16U << 20);
  EXPECT_EQ(response.stderr().size(), 5'000'000U);
}

TEST_F(ServiceTest, AttachAndReopen) {
  ASSERT_OK(CreatePodTask("a", "while read line; do echo got $line; done", /*with_stdin=*/true));
  const std::string in = JoinPath(dir_, "in"), out = JoinPath(dir_, "out");
  ASSERT_EQ(::mkfifo(in.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  const UniqueFd reader(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const UniqueFd writer(::open(in.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  v1::AttachRequest attach;
  attach.set_id("a");
  attach.set_stdin(in);
  attach.set_stdout(out);
  EXPECT_THAT(client_->Call(kPod, "Attach", attach),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_OK(Call<wire::StartRequest>("Start", "a"));
  ASSERT_OK(client_->Call(kPod, "Attach", attach));
  ASSERT_EQ(::write(writer.get(), "one\n", 4), 4);
  std::string seen;
  EXPECT_TRUE(RunUntil(loop_.get(), [&] {
    char buffer[64];
    const ssize_t n = ::read(reader.get(), buffer, sizeof(buffer));
    if (n > 0) seen.append(buffer, static_cast<size_t>(n));
    return seen == "got one\n";
  })) << seen;
  EXPECT_THAT(Log("a"), HasSubstr("stdout F got one\n"));

  ASSERT_EQ(::rename(JoinPath(dir_, "a/0.log").c_str(), JoinPath(dir_, "a/old").c_str()), 0);
  v1::ReopenLogRequest reopen;
  reopen.set_id("a");
  ASSERT_OK(client_->Call(kPod, "ReopenLog", reopen));
  EXPECT_EQ(Log("a"), "");
  ASSERT_EQ(::write(writer.get(), "two\n", 4), 4);
  EXPECT_TRUE(RunUntil(loop_.get(), [&] { return absl::StrContains(Log("a"), "got two"); }));
}

TEST_F(ServiceTest, AMessageThatDoesNotParseIsRefused) {
  wire::Any junk;
  junk.set_type_url(std::string("\xff\xfe", 2));
  EXPECT_THAT(client_->Call(kTask, "Create", junk), StatusIs(absl::StatusCode::kInvalidArgument));
}

// --- Metrics

TEST(Metrics, TheHostsKindDecides) {
  cgroup::Stats stats;
  stats.cpu.usage_ns = 5'000'000;
  stats.memory.usage = 4096;
  EXPECT_EQ(MetricsOf(stats).type_url(), "io.containerd.cgroups.v1.Metrics");
  stats.v2 = true;
  EXPECT_EQ(MetricsOf(stats).type_url(), "io.containerd.cgroups.v2.Metrics");
}

}  // namespace
}  // namespace crisp::shim

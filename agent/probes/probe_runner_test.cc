#include "agent/probes/probe_runner.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/probes/http_get.h"
#include "agent/probes/test_server.h"
#include "agent/runtime/fake_runtime.h"
#include "api/health/v1/health.grpc.pb.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::HasSubstr;
using Result = ProbeOutcome::Result;

class ProbeRunnerTest : public ::testing::Test {
 protected:
  ProbeRunnerTest() {
    target_.container_name = "web";
    target_.address = "127.0.0.1";
  }
  ProbeOutcome Run(decltype(Probe::action) action) {
    Probe probe;
    probe.action = std::move(action);
    return runner_->Run(target_, probe);
  }
  // A port on which nobody listens.
  static int DeadPort() {
    const TestServer server([](const std::string&) { return ""; });
    return server.port();
  }

  FakeNodeState node_;
  std::unique_ptr<PodRuntime> runtime_ = node_.Connect();
  std::unique_ptr<ProbeRunner> runner_ = MakeProbeRunner(runtime_.get());
  ProbeTarget target_;
};

TEST_F(ProbeRunnerTest, HttpStatuses) {
  std::atomic<int> status = 200;
  TestServer server([&](const std::string&) { return TestServer::Page(status, "body"); });
  HttpGetAction action;
  action.port.number = server.port();
  const struct {
    int status;
    Result result;
  } cases[] = {{200, Result::kSuccess}, {204, Result::kSuccess}, {304, Result::kSuccess},
               {399, Result::kSuccess}, {400, Result::kFailure}, {500, Result::kFailure}};
  for (const auto& test : cases) {
    status = test.status;
    EXPECT_EQ(Run(action).result, test.result) << test.status;
  }
  EXPECT_EQ(Run(action).output, "HTTP probe failed with statuscode: 500");
  action.port.number = DeadPort();
  const ProbeOutcome refused = Run(action);
  EXPECT_EQ(refused.result, Result::kFailure);
  EXPECT_THAT(refused.output, HasSubstr("Get \"http://127.0.0.1:"));
}

TEST_F(ProbeRunnerTest, HttpRequestIsAsAsked) {
  std::string request;
  TestServer server([&](const std::string& head) {
    request = head;
    return TestServer::Page(200, "");
  });
  HttpGetAction action;
  action.path = "/health?full=1";
  action.headers = {{"X-Probe", "yes"}, {"Host", "shop.example"}, {"X-Empty", ""}};
  action.port.name = "http";
  EXPECT_EQ(Run(action).result, Result::kError);
  target_.ports = {{"http", "TCP", "", server.port(), 0}};
  EXPECT_EQ(Run(action).result, Result::kSuccess);
  EXPECT_TRUE(absl::StartsWith(request, "GET /health?full=1 HTTP/1.1\r\n")) << request;
  EXPECT_THAT(request, HasSubstr("X-Probe: yes\r\n"));
  EXPECT_THAT(request, HasSubstr("Host: shop.example\r\n"));
  EXPECT_THAT(request, HasSubstr("X-Empty:"));
  EXPECT_THAT(request, HasSubstr("User-Agent: kube-probe/"));
  action.headers = {{"X", "a\r\nInjected: 1"}};
  EXPECT_EQ(Run(action).result, Result::kError);
}

TEST_F(ProbeRunnerTest, RedirectsOnTheSameHostAreFollowed) {
  TestServer server([&](const std::string& head) {
    if (absl::StartsWith(head, "GET /there")) return TestServer::Page(200, "found");
    if (absl::StartsWith(head, "GET /away")) {
      return TestServer::Page(302, "gone", "Location: http://elsewhere.invalid/\r\n");
    }
    if (absl::StartsWith(head, "GET /loop")) {
      return TestServer::Page(302, "", "Location: /loop\r\n");
    }
    return TestServer::Page(302, "", "Location: /there\r\n");
  });
  HttpGetAction action;
  action.port.number = server.port();
  EXPECT_EQ(Run(action).output, "found");
  action.path = "/away";
  const ProbeOutcome away = Run(action);
  EXPECT_EQ(away.result, Result::kWarning);
  EXPECT_EQ(away.output, "Probe terminated redirects, Response body: gone");
  action.path = "/loop";
  EXPECT_THAT(Run(action).output, HasSubstr("stopped after 10 redirects"));
}

TEST_F(ProbeRunnerTest, HttpTimesOutAndLongBodiesAreCut) {
  TestServer slow([](const std::string&) {
    absl::SleepFor(absl::Milliseconds(1500));
    return std::string();
  });
  HttpGetAction action;
  action.port.number = slow.port();
  const absl::Time begun = absl::Now();
  EXPECT_EQ(Run(action).result, Result::kFailure);
  EXPECT_LT(absl::Now() - begun, absl::Milliseconds(1400));

  TestServer large(
      [](const std::string&) { return TestServer::Page(200, std::string(1 << 20, 'x')); });
  action.port.number = large.port();
  const ProbeOutcome outcome = Run(action);
  EXPECT_EQ(outcome.result, Result::kSuccess);
  EXPECT_EQ(outcome.output.size(), size_t{10 << 10});
  HttpGetRequest whole;
  whole.url = large.url();
  whole.may_truncate = false;
  EXPECT_THAT(HttpGet(whole), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(ProbeRunnerTest, Tcp) {
  TestServer server([](const std::string&) { return ""; });
  TcpSocketAction action;
  action.port.number = server.port();
  EXPECT_EQ(Run(action).result, Result::kSuccess);
  action.port.number = DeadPort();
  const ProbeOutcome refused = Run(action);
  EXPECT_EQ(refused.result, Result::kFailure);
  EXPECT_THAT(refused.output, HasSubstr("dial tcp 127.0.0.1:"));
  EXPECT_THAT(refused.output, HasSubstr(": connect: connection refused"));
}

TEST_F(ProbeRunnerTest, Exec) {
  ProbeOutcome outcome = Run(ExecAction{{"check"}});
  EXPECT_EQ(outcome.result, Result::kError) << "there is no such container";
  node_.AddImage("busybox");
  runtime::v1::PodSandboxConfig pod;
  ASSERT_OK_AND_ASSIGN(const std::string sandbox, runtime_->RunPodSandbox(pod, ""));
  runtime::v1::ContainerConfig config;
  config.mutable_metadata()->set_name("web");
  ASSERT_OK_AND_ASSIGN(target_.container_id, runtime_->CreateContainer(sandbox, config, pod));
  EXPECT_EQ(Run(ExecAction{{"check"}}).result, Result::kSuccess);
  node_.SetExec([](const std::string&) -> absl::StatusOr<ExecResult> {
    return ExecResult{1, "not yet"};
  });
  outcome = Run(ExecAction{{"check"}});
  EXPECT_EQ(outcome.result, Result::kFailure);
  EXPECT_EQ(outcome.output, "not yet");
  node_.SetExec([](const std::string&) -> absl::StatusOr<ExecResult> {
    return absl::DeadlineExceededError("slow");
  });
  outcome = Run(ExecAction{{"check", "it"}});
  EXPECT_EQ(outcome.result, Result::kFailure);
  EXPECT_EQ(outcome.output, "command timed out: \"check it\" timed out after 1s");
}

class HealthService : public grpc::health::v1::Health::Service {
 public:
  grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* reply) override {
    using Reply = grpc::health::v1::HealthCheckResponse;
    if (request->service() == "none") return {grpc::StatusCode::NOT_FOUND, "unknown service"};
    reply->set_status(request->service() == "bad" ? Reply::NOT_SERVING : Reply::SERVING);
    return grpc::Status::OK;
  }
};

TEST_F(ProbeRunnerTest, Grpc) {
  HealthService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  EXPECT_EQ(Run(GrpcAction{port, ""}).result, Result::kSuccess);
  EXPECT_EQ(Run(GrpcAction{port, "bad"}).output,
            "service unhealthy (responded with \"NOT_SERVING\")");
  EXPECT_EQ(Run(GrpcAction{port, "none"}).result, Result::kFailure);
  server->Shutdown(absl::ToChronoTime(absl::Now()));
  const ProbeOutcome dead = Run(GrpcAction{DeadPort(), ""});
  EXPECT_EQ(dead.result, Result::kFailure);
  EXPECT_THAT(dead.output, HasSubstr("failed to connect service"));
}

}  // namespace
}  // namespace crisp::agent

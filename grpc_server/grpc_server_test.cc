#include "grpc_server/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "api/cri/v1/api.grpc.pb.h"
#include "api/images/v1/images.grpc.pb.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"
#include "grpc_server/test_frames.h"

namespace crisp::grpcserver {
namespace {

namespace cri = ::runtime::v1;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kVersion[] = "/runtime.v1.RuntimeService/Version";
constexpr char kExec[] = "/runtime.v1.RuntimeService/ExecSync";
constexpr char kList[] = "/runtime.v1.RuntimeService/ListContainers";
constexpr char kEvents[] = "/runtime.v1.RuntimeService/GetContainerEvents";
constexpr char kImport[] = "/crisp.images.v1.Images/ImportImage";

// The server as gRPC's own client sees it.
class GrpcServerTest : public ::testing::Test {
 protected:
  void TearDown() override {
    server_.reset();
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }

  void Serve(Methods methods) {
    char directory[] = "/tmp/crisp-grpc.XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    directory_ = directory;
    path_ = directory_ + "/s";
    ASSERT_OK_AND_ASSIGN(
        server_,
        GrpcServer::Start({.path = path_,
                           .methods = std::move(methods),
                           .observe = [this](const Outcome& outcome) {
                             absl::MutexLock lock(&mu_);
                             seen_.push_back(std::string(outcome.path) + ": " +
                                             (outcome.abandoned ? "abandoned" : "answered"));
                           }}));
    channel_ = Connection();
    runtime_ = cri::RuntimeService::NewStub(channel_);
    images_ = images::v1::Images::NewStub(channel_);
  }

  // Of its own, once it is used: the server's threads get one after the other.
  std::shared_ptr<grpc::Channel> Connection() const {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + path_, grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  std::vector<std::string> seen() {
    absl::MutexLock lock(&mu_);
    return seen_;
  }

  std::string directory_, path_;
  absl::Mutex mu_;
  std::vector<std::string> seen_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<cri::RuntimeService::Stub> runtime_;
  std::unique_ptr<images::v1::Images::Stub> images_;
};

// One call with an empty request, as bytes on a socket: what no library would leave so.
class RawCall {
 public:
  RawCall(const std::string& socket, const std::string& method) {
    auto connected = ConnectUnix(socket);
    EXPECT_OK(connected.status());
    if (connected.ok()) fd_ = *std::move(connected);
    Send(kPreface + Frame(kSettingsFrame, 0, 0, ""));
    Send(Frame(kHeadersFrame, kEndHeaders, 1,
               Headers({{":method", "POST"},
                        {":scheme", "http"},
                        {":path", method},
                        {":authority", "/a/path.sock"},
                        {"content-type", "application/grpc"}})));
    Send(Frame(kDataFrame, kEndStream, 1, std::string(5, '\0')));
  }

 private:
  void Send(const std::string& bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  UniqueFd fd_;
};

Method EchoVersion() {
  return Unary<cri::VersionRequest, cri::VersionResponse>(
      [](const Call&, const cri::VersionRequest& request, cri::VersionResponse* response) {
        response->set_version(request.version());
        return absl::OkStatus();
      });
}

// A list of one, which may be at hand.
Method FromMemory(bool at_hand) {
  return AtHand<cri::ListContainersRequest>(
      [=](const auto&) -> std::optional<absl::StatusOr<Message>> {
        if (!at_hand) return std::nullopt;
        cri::ListContainersResponse response;
        response.add_containers()->set_id("at hand");
        return Serialized(response);
      },
      Unary<cri::ListContainersRequest, cri::ListContainersResponse>(
          [](const Call&, const auto&, cri::ListContainersResponse* response) {
            response->add_containers()->set_id("fetched");
            return absl::OkStatus();
          }));
}

// Ends when its caller has gone.
Method WaitForTheCallerToGo(absl::Notification* begun, absl::Notification* ended) {
  return Unary<cri::ExecSyncRequest, cri::ExecSyncResponse>(
      [=](const Call& call, const cri::ExecSyncRequest&, cri::ExecSyncResponse*) {
        begun->Notify();
        while (!call.abandoned()) absl::SleepFor(absl::Milliseconds(1));
        ended->Notify();
        return absl::CancelledError("the caller has gone");
      });
}

TEST_F(GrpcServerTest, AnswersFromMemoryAndFromHandlers) {
  Serve({{kVersion, EchoVersion()}, {kList, FromMemory(/*at_hand=*/true)}});
  struct stat file = {};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  for (const std::string& text : {std::string("1"), std::string(), std::string(3 << 20, 'x')}) {
    grpc::ClientContext context;
    cri::VersionRequest request;
    request.set_version(text);
    cri::VersionResponse response;
    const grpc::Status status = runtime_->Version(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.version(), text);
  }
  grpc::ClientContext context;
  cri::ListContainersResponse list;
  ASSERT_TRUE(runtime_->ListContainers(&context, {}, &list).ok());
  ASSERT_THAT(list.containers(), SizeIs(1));
  EXPECT_EQ(list.containers(0).id(), "at hand");
  EXPECT_THAT(seen(), SizeIs(4));
}

TEST_F(GrpcServerTest, WhatIsNotAtHandIsTheHandlers) {
  Serve({{kList, FromMemory(/*at_hand=*/false)}});
  grpc::ClientContext context;
  cri::ListContainersResponse list;
  ASSERT_TRUE(runtime_->ListContainers(&context, {}, &list).ok());
  ASSERT_THAT(list.containers(), SizeIs(1));
  EXPECT_EQ(list.containers(0).id(), "fetched");
}

absl::StatusOr<Message> SomeAnswer(const cri::ListContainersRequest& request) {
  const std::string& id = request.filter().id();
  if (id == "throw") throw std::runtime_error("a library threw");
  if (id == "long") return std::make_shared<const std::string>((64 << 20) + 1, 'x');
  if (id != "some") return absl::NotFoundError("no such container");
  cri::ListContainersResponse response;
  for (int i = 0; i < 10; ++i) response.add_containers()->set_id(std::string(300000, 'x'));
  return Serialized(response);
}

class SomeAnswers : public GrpcServerTest, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(AtHand, SomeAnswers, ::testing::Bool());

// From memory comes what would come from a handler.
TEST_P(SomeAnswers, ArriveAsTheyAre) {
  Serve({{kList, GetParam()
                     ? AtHand<cri::ListContainersRequest>(
                           [](const auto& request) -> std::optional<absl::StatusOr<Message>> {
                             return SomeAnswer(request);
                           },
                           Method())
                     : EncodedUnary<cri::ListContainersRequest>(
                           [](const Call&, const auto& request) { return SomeAnswer(request); })}});
  cri::ListContainersResponse list;
  const auto call = [&](const std::string& id) {
    grpc::ClientContext context;
    cri::ListContainersRequest request;
    request.mutable_filter()->set_id(id);
    return runtime_->ListContainers(&context, request, &list);
  };
  EXPECT_TRUE(call("some").ok());
  ASSERT_THAT(list.containers(), SizeIs(10));  // More than one frame, and one write.
  EXPECT_EQ(list.containers(9).id(), std::string(300000, 'x'));
  grpc::Status status = call("none");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no such container");
  status = call("throw");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "a library threw");
  status = call("long");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("67108865 bytes"));
  EXPECT_TRUE(call("some").ok());
  EXPECT_THAT(seen(), SizeIs(5));
}

TEST_F(GrpcServerTest, StatusesArriveAsTheyWere) {
  const std::string text = "pod \"a\": 100% wrong\n\xc3\xa4";
  Serve(
      {{kVersion, Unary<cri::VersionRequest, cri::VersionResponse>(
                      [&](const Call&, const auto&, auto*) { return absl::DataLossError(text); })},
       {kList, Unary<cri::ListContainersRequest, cri::ListContainersResponse>(
                   [&](const Call&, const auto&, auto*) {
                     return absl::InternalError(std::string(100000, 'x'));
                   })},
       {kExec, Unary<cri::ExecSyncRequest, cri::ExecSyncResponse>(
                   [](const Call&, const auto&, auto*) -> absl::Status {
                     throw std::runtime_error("a library threw");
                   })}});
  grpc::ClientContext context, long_context, unknown_context, throwing_context;
  cri::VersionResponse version;
  grpc::Status status = runtime_->Version(&context, {}, &version);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(status.error_message(), text);
  cri::ListContainersResponse list;
  status = runtime_->ListContainers(&long_context, {}, &list);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("xxxx"));
  cri::StatusResponse unknown;
  status = runtime_->Status(&unknown_context, {}, &unknown);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("/runtime.v1.RuntimeService/Status"));
  cri::ExecSyncResponse executed;
  status = runtime_->ExecSync(&throwing_context, {}, &executed);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "a library threw");
}

TEST_F(GrpcServerTest, EveryCodeAndMessageArrives) {
  std::atomic<int> code = 0;
  Serve({{kVersion,
          Unary<cri::VersionRequest, cri::VersionResponse>([&](const Call&, const auto&, auto*) {
            return absl::Status(static_cast<absl::StatusCode>(code.load()),
                                "RunPodSandbox: pull web: no");
          })}});
  for (code = 1; code <= 16; ++code) {
    grpc::ClientContext context;
    cri::VersionResponse version;
    const grpc::Status status = runtime_->Version(&context, {}, &version);
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), "RunPodSandbox: pull web: no");
  }
}

TEST_F(GrpcServerTest, AnErrnoKeepsItsCodeAndItsName) {
  Serve({{kVersion,
          Unary<cri::VersionRequest, cri::VersionResponse>([](const Call&, const auto&, auto*) {
            return ErrnoStatus(ENOENT, "open /run/x");
          })}});
  grpc::ClientContext context;
  cri::VersionResponse version;
  const grpc::Status status = runtime_->Version(&context, {}, &version);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("ENOENT"));
}

TEST_F(GrpcServerTest, RequestsThatAreTooLongOrDoNotParseAreRefused) {
  Serve({{kVersion, EchoVersion()}});
  grpc::GenericStub stub(channel_);
  const auto call = [&](const std::string& bytes) {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    const auto rpc = stub.PrepareUnaryCall(&context, kVersion, grpc::ByteBuffer(&slice, 1), &queue);
    rpc->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    rpc->Finish(&answer, &status, &status);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  };
  grpc::Status status = call("\xff\xff\xff");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  status = call(std::string((16 << 20) + 1, 'x'));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("16777217 bytes"));
  EXPECT_EQ(call("").error_code(), grpc::StatusCode::OK);  // The connection is as good as before.
}

TEST_F(GrpcServerTest, AStreamIsAsFastAsItsReader) {
  constexpr int kMessages = 3000;
  std::atomic<int> written = 0;
  Serve({{kEvents, ServerStream<cri::GetEventsRequest, cri::ContainerEventResponse>(
                       [&](const Call&, const auto&, const auto& send) {
                         cri::ContainerEventResponse event;
                         event.set_container_id(std::string(1000, 'x'));
                         for (int i = 0; i < kMessages; ++i) {
                           event.set_created_at(i);
                           if (!send(event)) return absl::CancelledError("gone");
                           ++written;
                         }
                         return absl::OutOfRangeError("that was all");
                       })}});
  grpc::ClientContext context;
  const auto reader = runtime_->GetContainerEvents(&context, {});
  cri::ContainerEventResponse event;
  ASSERT_TRUE(reader->Read(&event));
  // The client's window and the queue are full; nobody reads.
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_LT(written, kMessages);
  int64_t next = 1;
  while (reader->Read(&event)) EXPECT_EQ(event.created_at(), next++);
  EXPECT_EQ(next, kMessages);
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(GrpcServerTest, AClientsStreamArrivesWholeAndWaitsForItsHandler) {
  std::atomic<bool> go = false;
  Serve({{kImport, ClientStream<images::v1::ImportImageRequest, images::v1::ImportImageResponse>(
                       [&](const Call&, const auto& receive, auto* response) {
                         while (!go) absl::SleepFor(absl::Milliseconds(1));
                         images::v1::ImportImageRequest request;
                         size_t bytes = 0;
                         while (receive(&request)) bytes += request.data().size();
                         response->add_images()->set_name(std::to_string(bytes));
                         return absl::OkStatus();
                       })}});
  grpc::ClientContext context;
  images::v1::ImportImageResponse response;
  const auto writer = images_->ImportImage(&context, &response);
  std::thread opener([&] {
    absl::SleepFor(absl::Milliseconds(200));
    go = true;
  });
  images::v1::ImportImageRequest part;
  part.set_data(std::string(1 << 20, 'x'));
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(writer->Write(part));
  EXPECT_TRUE(go);  // 64 MiB do not fit in any window.
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  opener.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.images(0).name(), std::to_string(64 << 20));
}

TEST_F(GrpcServerTest, AHandlerMayAnswerBeforeTheClientsStreamEnds) {
  Serve({{kImport, ClientStream<images::v1::ImportImageRequest, images::v1::ImportImageResponse>(
                       [](const Call&, const auto& receive, auto*) {
                         images::v1::ImportImageRequest request;
                         receive(&request);
                         return absl::InvalidArgumentError("not an archive");
                       })}});
  grpc::ClientContext context;
  images::v1::ImportImageResponse response;
  const auto writer = images_->ImportImage(&context, &response);
  images::v1::ImportImageRequest part;
  part.set_data(std::string(1 << 20, 'x'));
  int sent = 0;
  while (sent < 1000 && writer->Write(part)) ++sent;
  EXPECT_LT(sent, 1000);
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "not an archive");
}

TEST_F(GrpcServerTest, ACallersEndIsSeen) {
  absl::Notification begun, ended;
  Serve({{kExec, WaitForTheCallerToGo(&begun, &ended)}, {kVersion, EchoVersion()}});
  grpc::ClientContext context;
  std::thread caller([&] {
    cri::ExecSyncResponse response;
    EXPECT_EQ(runtime_->ExecSync(&context, {}, &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  begun.WaitForNotification();
  grpc::ClientContext other;  // A handler that waits holds nobody up.
  cri::VersionResponse version;
  EXPECT_TRUE(runtime_->Version(&other, {}, &version).ok());
  EXPECT_FALSE(ended.HasBeenNotified());
  context.TryCancel();
  ended.WaitForNotification();
  caller.join();
}

TEST_F(GrpcServerTest, ADeadlineIsSeen) {
  absl::Notification begun, ended;
  Serve({{kExec, WaitForTheCallerToGo(&begun, &ended)}});
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  cri::ExecSyncResponse response;
  EXPECT_EQ(runtime_->ExecSync(&context, {}, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  ended.WaitForNotification();
}

TEST_F(GrpcServerTest, AClosedConnectionEndsItsCalls) {
  absl::Notification begun, ended;
  Serve({{kExec, WaitForTheCallerToGo(&begun, &ended)}});
  // A connection of its own, whose only call is left behind.
  auto call = std::make_unique<RawCall>(path_, kExec);
  begun.WaitForNotification();
  EXPECT_FALSE(ended.HasBeenNotified());
  call.reset();
  ended.WaitForNotification();
}

TEST_F(GrpcServerTest, StopLetsCallsEndAndTakesNoNewOnes) {
  absl::Notification begun, go;
  Serve({{kVersion, Unary<cri::VersionRequest, cri::VersionResponse>(
                        [&](const Call&, const auto&, cri::VersionResponse* response) {
                          begun.Notify();
                          go.WaitForNotification();
                          response->set_version("late");
                          return absl::OkStatus();
                        })},
         {kList, FromMemory(/*at_hand=*/true)}});
  std::thread caller([&] {
    grpc::ClientContext context;
    cri::VersionResponse response;
    const grpc::Status status = runtime_->Version(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.version(), "late");
  });
  begun.WaitForNotification();
  std::thread stopper([&] { server_->Stop(absl::Seconds(30)); });
  const auto list = [&] {
    grpc::ClientContext context;
    cri::ListContainersResponse response;
    return runtime_->ListContainers(&context, {}, &response).ok();
  };
  const absl::Time patience = absl::Now() + absl::Seconds(10);
  while (list() && absl::Now() < patience) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_FALSE(list());
  go.Notify();
  stopper.join();
  caller.join();
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(GrpcServerTest, StopCancelsWhatOutlivesItsGraceOnEveryConnection) {
  constexpr int kCallers = 4;
  std::atomic<int> begun = 0, ended = 0;
  Serve({{kExec, Unary<cri::ExecSyncRequest, cri::ExecSyncResponse>(
                     [&](const Call& call, const cri::ExecSyncRequest&, cri::ExecSyncResponse*) {
                       ++begun;
                       while (!call.abandoned()) absl::SleepFor(absl::Milliseconds(1));
                       ++ended;
                       return absl::CancelledError("the caller has gone");
                     })}});
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      const auto runtime = cri::RuntimeService::NewStub(Connection());
      grpc::ClientContext context;
      cri::ExecSyncResponse response;
      EXPECT_FALSE(runtime->ExecSync(&context, {}, &response).ok());
    });
  }
  while (begun < kCallers) absl::SleepFor(absl::Milliseconds(1));
  server_->Stop(absl::Milliseconds(20));
  EXPECT_EQ(ended, kCallers);
  for (std::thread& caller : callers) caller.join();
}

// A client that is taken while the server stops held its thread up for ever.
TEST_F(GrpcServerTest, StopEndsWhileClientsCome) {
  for (int round = 0; round < 30; ++round) {
    Serve({{kVersion, EchoVersion()}});
    std::atomic<bool> stopped = false;
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        while (!stopped) (void)ConnectUnix(path_, SOCK_NONBLOCK);
      });
    }
    absl::SleepFor(absl::Milliseconds(round % 10));
    server_->Stop(absl::ZeroDuration());
    stopped = true;
    for (std::thread& client : clients) client.join();
    TearDown();
  }
}

TEST_F(GrpcServerTest, ManyCallersAtATime) {
  Serve({{kVersion, EchoVersion()}, {kList, FromMemory(/*at_hand=*/true)}});
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 16; ++caller) {
    callers.emplace_back([&, caller] {
      const auto runtime = cri::RuntimeService::NewStub(caller % 4 == 0 ? channel_ : Connection());
      for (int i = 0; i < 100; ++i) {
        grpc::ClientContext context, list_context;
        cri::VersionRequest request;
        request.set_version(std::to_string(caller * 1000 + i));
        cri::VersionResponse response;
        ASSERT_TRUE(runtime->Version(&context, request, &response).ok());
        ASSERT_EQ(response.version(), request.version());
        cri::ListContainersResponse list;
        ASSERT_TRUE(runtime->ListContainers(&list_context, {}, &list).ok());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace crisp::grpcserver

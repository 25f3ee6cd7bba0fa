#include "shim/client/shim_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "api/shim/wire/task.pb.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "shim/ttrpc/frame.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(20);

// A shim that answers by the name of the method. It serves one connection at a time.
class StandIn {
 public:
  explicit StandIn(const std::string& directory) {
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    EXPECT_OK_AND_BIND(directory, &address);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }
  ~StandIn() { Stop(); }

  void Serve() {
    thread_ = std::thread([this] {
      while (!stop_) {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (socket.ok()) ServeOne(socket.get());
      }
    });
  }
  void Stop() {
    stop_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    listener_.reset();
  }
  std::atomic<bool> reads{true};

 private:
  void EXPECT_OK_AND_BIND(const std::string& directory, sockaddr_un* address) {
    auto dir = OpenDir(directory);
    ASSERT_OK(dir);
    const std::string path = absl::StrCat("/proc/self/fd/", dir->get(), "/socket");
    std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(address), sizeof(*address)),
              0);
  }

  void ServeOne(int socket) {
    FrameParser parser(64 << 20);
    bool close = false;
    while (!close && !stop_) {
      pollfd wanted = {.fd = socket, .events = POLLIN, .revents = 0};
      if (!reads || ::poll(&wanted, 1, 10) <= 0) {
        if (!reads) absl::SleepFor(absl::Milliseconds(5));
        continue;
      }
      std::vector<char> buffer(1 << 16);
      const ssize_t n = ::read(socket, buffer.data(), buffer.size());
      if (n <= 0) return;
      parser.Feed({buffer.data(), static_cast<size_t>(n)},
                  [&](const FrameHeader& header, absl::string_view payload, bool) {
                    close = Answer(socket, header.stream, payload) || close;
                  });
    }
  }

  bool Answer(int socket, uint32_t stream, absl::string_view payload) {
    wire::Request request;
    EXPECT_TRUE(request.ParseFromString(std::string(payload)));
    if (request.method() == "Hang") return false;
    if (request.method() == "Die") return true;
    if (request.method() == "Hold") {
      held_ = stream;
      return false;
    }
    wire::Response response;
    wire::DeleteResponse answer;
    answer.set_exit_status(static_cast<uint32_t>(request.payload().size()));
    if (request.method() == "Refuse") {
      response.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
      response.mutable_status()->set_message("no such task");
    } else if (request.method() == "Garbage") {
      response.set_payload("\xff\xff");
    } else if (request.method() == "Long") {
      wire::StateResponse state;
      state.set_id(std::string(8 << 20, 'x'));
      response.set_payload(state.SerializeAsString());
    } else {
      response.set_payload(answer.SerializeAsString());
    }
    Send(socket, stream, response);
    if (request.method() == "Release") Send(socket, held_, response);
    return false;
  }

  void Send(int socket, uint32_t stream, const wire::Response& response) {
    std::string out;
    AppendFrame(&out, stream, FrameType::kResponse, response.SerializeAsString());
    for (size_t at = 0; at < out.size();) {
      const ssize_t n = ::send(socket, out.data() + at, out.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return;
      at += static_cast<size_t>(n);
    }
  }

  UniqueFd listener_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  uint32_t held_ = 0;
};

class ShimClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "client.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_OK_AND_ASSIGN(loop_, IoLoop::Create());
    shim_ = std::make_unique<StandIn>(dir_);
  }
  void TearDown() override {
    client_.reset();
    shim_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }
  void Connect() {
    ASSERT_OK_AND_ASSIGN(client_, ShimClient::Connect(loop_.get(), dir_, [this] { ++lost_; }));
  }
  // The length of the request as the stand-in saw it.
  absl::StatusOr<uint32_t> Call(const std::string& method, absl::Duration timeout = kLong) {
    wire::KillRequest request;
    request.set_id("c1");
    wire::DeleteResponse response;
    const absl::Status status = client_->Call(kTaskService, method, request, &response, timeout);
    if (!status.ok()) return status;
    return response.exit_status();
  }

  std::string dir_;
  std::unique_ptr<IoLoop> loop_;
  std::unique_ptr<StandIn> shim_;
  std::unique_ptr<ShimClient> client_;
  std::atomic<int> lost_{0};
};

TEST_F(ShimClientTest, AnswersAndErrorsComeBack) {
  shim_->Serve();
  Connect();
  EXPECT_THAT(Call("Kill"), IsOkAndHolds(4u));
  EXPECT_THAT(Call("Refuse"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no such task")));
  EXPECT_THAT(Call("Garbage"), StatusIs(absl::StatusCode::kInternal, HasSubstr("malformed")));
  EXPECT_THAT(Call("Kill"), IsOkAndHolds(4u));
  EXPECT_FALSE(client_->lost());
}

TEST_F(ShimClientTest, CallsWaitForAShimThatIsNotUpYet) {
  Connect();
  absl::StatusOr<uint32_t> result = absl::UnknownError("");
  std::thread caller([&] { result = Call("Kill"); });
  absl::SleepFor(absl::Milliseconds(50));
  shim_->Serve();
  caller.join();
  EXPECT_THAT(result, IsOkAndHolds(4u));
}

TEST_F(ShimClientTest, AnswersMayComeInAnyOrder) {
  shim_->Serve();
  Connect();
  absl::Notification held;
  client_->CallAsync(kTaskService, "Hold", wire::KillRequest(), absl::InfiniteDuration(),
                     [&](absl::Status status, std::string) {
                       EXPECT_OK(status);
                       held.Notify();
                     });
  EXPECT_OK(Call("Kill").status());
  EXPECT_FALSE(held.HasBeenNotified());
  EXPECT_OK(Call("Release").status());
  EXPECT_TRUE(held.WaitForNotificationWithTimeout(kLong));
}

TEST_F(ShimClientTest, ManyCallersShareTheConnection) {
  shim_->Serve();
  Connect();
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int n = 0; n < 200; ++n) good += Call("Kill").ok() ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(good, 1600);
}

TEST_F(ShimClientTest, ADeadlinePassesAndTheConnectionStays) {
  shim_->Serve();
  Connect();
  EXPECT_THAT(Call("Hang", absl::Milliseconds(30)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  absl::Notification expired;
  client_->CallAsync(kTaskService, "Hang", wire::KillRequest(), absl::Milliseconds(30),
                     [&](absl::Status status, std::string) {
                       EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
                       expired.Notify();
                     });
  EXPECT_TRUE(expired.WaitForNotificationWithTimeout(kLong));
  EXPECT_OK(Call("Kill").status());
}

TEST_F(ShimClientTest, LongRequestsAndAnswersPass) {
  shim_->Serve();
  Connect();
  wire::StateResponse answer;
  ASSERT_OK(client_->Call(kTaskService, "Long", wire::KillRequest(), &answer, kLong));
  EXPECT_EQ(answer.id().size(), size_t{8} << 20);
  // More than a socket holds, to a shim that does not read for a while: the caller is
  // not held up by it before its deadline, nor is any other.
  shim_->reads = false;
  wire::KillRequest request;
  request.set_id(std::string(3 << 20, 'y'));
  EXPECT_THAT(client_->Call(kTaskService, "Kill", request, nullptr, absl::Milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  shim_->reads = true;
  wire::DeleteResponse response;
  ASSERT_OK(client_->Call(kTaskService, "Kill", request, &response, kLong));
  EXPECT_EQ(response.exit_status(), request.ByteSizeLong());
}

TEST_F(ShimClientTest, ALostShimFailsAllCallsAndIsToldOnce) {
  shim_->Serve();
  Connect();
  absl::BlockingCounter failed(2);
  for (int i = 0; i < 2; ++i) {
    client_->CallAsync(kTaskService, "Hang", wire::KillRequest(), absl::InfiniteDuration(),
                       [&](absl::Status status, std::string) {
                         EXPECT_TRUE(absl::IsUnavailable(status)) << status;
                         EXPECT_EQ(lost_, 0);
                         failed.DecrementCount();
                       });
  }
  EXPECT_THAT(Call("Die"), StatusIs(absl::StatusCode::kUnavailable));
  failed.Wait();
  EXPECT_THAT(Call("Kill"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(client_->lost());
  for (int i = 0; i < 1000 && lost_ == 0; ++i) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(lost_, 1);
}

TEST_F(ShimClientTest, TheDestructorForgetsWhatIsUnderWay) {
  shim_->Serve();
  Connect();
  bool called = false;
  client_->CallAsync(kTaskService, "Hang", wire::KillRequest(), absl::Milliseconds(20),
                     [&](absl::Status, std::string) { called = true; });
  client_.reset();
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_FALSE(called);
  EXPECT_EQ(lost_, 0);
}

TEST_F(ShimClientTest, NobodyListens) {
  shim_.reset();
  EXPECT_EQ(ErrnoOf(ShimClient::Connect(loop_.get(), dir_, nullptr).status()), ECONNREFUSED);
  ASSERT_EQ(::unlink(JoinPath(dir_, "socket").c_str()), 0);
  EXPECT_EQ(ErrnoOf(ShimClient::Connect(loop_.get(), dir_, nullptr).status()), ENOENT);
}

}  // namespace
}  // namespace crisp::shim

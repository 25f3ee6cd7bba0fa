#include "shim/ttrpc/server.h"

#include <cstdlib>
#include <vector>

#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "shim/loop/run_until.h"
#include "shim/ttrpc/frame.h"
#include "shim/ttrpc/test_client.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Short: a socket's path has 107 bytes.
    std::string pattern = "/tmp/crisp-ttrpc.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = JoinPath(dir_, "s");
    ASSERT_OK_AND_ASSIGN(loop_, Loop::Create());
    server_ = std::make_unique<TtrpcServer>(
        loop_.get(), [this](absl::string_view service, absl::string_view method,
                            absl::string_view payload, Reply reply) {
          if (service == "long") reply.AllowLong();
          if (method == "keep") {
            kept_.push_back(std::move(reply));
          } else if (method == "drop") {
          } else if (method == "fail") {
            std::move(reply).Error(absl::NotFoundError("no such thing"));
          } else if (method == "mumble") {
            std::move(reply).Error(absl::AbortedError("hook: \xff"));
          } else if (method == "big") {
            wire::Any any;
            any.set_value(std::string(6 << 20, 'x'));
            std::move(reply).Ok(any);
          } else {
            wire::Any any;
            any.set_value(std::string(payload));
            std::move(reply).Ok(any);
          }
        });
    ASSERT_OK(server_->Serve(ListenAt(path_)));
    client_ = std::make_unique<TestClient>(loop_.get(), path_);
    ASSERT_TRUE(client_->connected());
  }
  void TearDown() override {
    kept_.clear();
    server_.reset();
    EXPECT_OK(RemoveTree(dir_));
  }
  std::string Frame(uint32_t stream, FrameType type, absl::string_view payload) {
    std::string frame;
    AppendFrame(&frame, stream, type, payload);
    return frame;
  }
  std::string Echo() {
    wire::Request request;
    request.set_service("any");
    request.set_method("echo");
    return request.SerializeAsString();
  }

  std::string dir_, path_;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<TtrpcServer> server_;
  std::unique_ptr<TestClient> client_;
  std::vector<Reply> kept_;
};

TEST_F(ServerTest, AnswersAndErrorsKeepTheirWords) {
  wire::Any request, answer;
  request.set_value("hello");
  ASSERT_OK(client_->Call("any", "echo", request, &answer));
  EXPECT_EQ(answer.value(), request.SerializeAsString());
  EXPECT_THAT(client_->Call("any", "fail", request),
              StatusIs(absl::StatusCode::kNotFound, "no such thing"));
  EXPECT_THAT(client_->Call("any", "mumble", request),
              StatusIs(absl::StatusCode::kAborted, "hook: \xEF\xBF\xBD"));
  EXPECT_THAT(client_->Call("any", "drop", request), StatusIs(absl::StatusCode::kInternal));
}

TEST_F(ServerTest, ASlowCallHoldsUpNoOther) {
  wire::Empty nothing;
  const uint32_t slow = client_->Send("any", "keep", nothing);
  for (int i = 0; i < 10; ++i) ASSERT_OK(client_->Call("any", "echo", nothing));
  EXPECT_FALSE(client_->Answered(slow));
  ASSERT_EQ(kept_.size(), 1U);
  std::move(kept_[0]).Ok(nothing);
  EXPECT_OK(client_->Answer(slow));
}

TEST_F(ServerTest, StreamIdsAreOddAndNew) {
  client_->SendRaw(Frame(5, FrameType::kRequest, Echo()));
  EXPECT_OK(client_->Answer(5));
  client_->SendRaw(Frame(6, FrameType::kRequest, Echo()));
  EXPECT_THAT(client_->Answer(6), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("odd")));
  client_->SendRaw(Frame(3, FrameType::kRequest, Echo()));
  EXPECT_THAT(client_->Answer(3),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("before")));
  client_->SendRaw(Frame(7, FrameType::kRequest, Echo()));
  EXPECT_OK(client_->Answer(7)) << "the connection did not go on";
}

TEST_F(ServerTest, AMessageOverFourMegabytesIsSkippedAndRefused) {
  client_->SendRaw(Frame(1, FrameType::kRequest, std::string((4 << 20) + 1, 'x')));
  EXPECT_THAT(client_->Answer(1), StatusIs(absl::StatusCode::kResourceExhausted));
  client_->SendRaw(Frame(3, FrameType::kRequest, Echo()));
  EXPECT_OK(client_->Answer(3));
}

TEST_F(ServerTest, OnlyWhoMayAnswersLong) {
  wire::Empty nothing;
  EXPECT_THAT(client_->Call("any", "big", nothing), StatusIs(absl::StatusCode::kResourceExhausted));
  wire::Any answer;
  ASSERT_OK(client_->Call("long", "big", nothing, &answer));
  EXPECT_EQ(answer.value().size(), 6U << 20);
}

TEST_F(ServerTest, GarbageGetsAnAnswer) {
  client_->SendRaw(Frame(1, FrameType::kRequest, "\xff\xff\xff"));
  EXPECT_THAT(client_->Answer(1), StatusIs(absl::StatusCode::kInvalidArgument));
  client_->SendRaw(Frame(3, FrameType::kData, "data"));
  EXPECT_THAT(client_->Answer(3), StatusIs(absl::StatusCode::kInvalidArgument));
  std::string streaming = Frame(5, FrameType::kRequest, Echo());
  streaming[9] = kFlagRemoteOpen;
  client_->SendRaw(streaming);
  EXPECT_THAT(client_->Answer(5), StatusIs(absl::StatusCode::kUnimplemented));
}

TEST_F(ServerTest, AnAnswerAfterTheClientLeftGoesNowhere) {
  wire::Empty nothing;
  client_->Send("any", "keep", nothing);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] { return kept_.size() == 1; }));
  client_.reset();
  RunFor(loop_.get(), absl::Milliseconds(20));
  std::move(kept_[0]).Ok(nothing);
  RunFor(loop_.get(), absl::Milliseconds(20));
}

TEST_F(ServerTest, AClientThatDoesNotReadDelaysOnlyItself) {
  wire::Empty nothing;
  for (int i = 0; i < 4; ++i) client_->Send("long", "big", nothing);
  RunFor(loop_.get(), absl::Milliseconds(50));
  EXPECT_FALSE(server_->flushed());
  TestClient other(loop_.get(), path_);
  EXPECT_OK(other.Call("any", "echo", nothing));
  for (uint32_t stream = 1; stream <= 7; stream += 2) EXPECT_OK(client_->Answer(stream));
  EXPECT_TRUE(server_->flushed());
}

}  // namespace
}  // namespace crisp::shim

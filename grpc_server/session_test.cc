#include "grpc_server/session.h"

#include <deque>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "grpc_server/methods.h"
#include "grpc_server/test_frames.h"

namespace crisp::grpcserver {
namespace {

constexpr char kMethod[] = "/service/method";

// A session whose handlers run when the test says so.
class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    methods_[kMethod] = {.run = [this](ServerCall& call) {
      ++runs_;
      cancelled_ = call.cancelled();
      return absl::OkStatus();
    }};
    ASSERT_OK(session_.Receive(kPreface + Frame(kSettingsFrame, 0, 0, "")));
  }

  void BeginCall(const std::string& timeout = "1H") {
    ASSERT_OK(session_.Receive(Frame(kHeadersFrame, kEndHeaders, 1,
                                     Headers({{":method", "POST"},
                                              {":scheme", "http"},
                                              {":path", kMethod},
                                              {"content-type", "application/grpc"},
                                              {"grpc-timeout", timeout}}))));
  }
  void EndCall() {
    ASSERT_OK(session_.Receive(Frame(kDataFrame, kEndStream, 1, std::string(5, '\0'))));
    RunHandlers();
  }
  void RunHandlers() {
    for (; !handlers_.empty(); handlers_.pop_front()) handlers_.front()();
  }

  FakeClock clock_;
  Methods methods_;
  std::deque<std::function<void()>> handlers_;
  int runs_ = 0;
  bool cancelled_ = false;
  const SessionOptions options_ = {
      .methods = &methods_,
      .clock = &clock_,
      .run = [this](std::function<void()> handler) { handlers_.push_back(std::move(handler)); },
      .observe = [](const Outcome&) {}};
  Session session_{options_, [](int32_t) {}};
};

TEST_F(SessionTest, ARequestInPartsIsRunOnceItIsWhole) {
  BeginCall();
  EXPECT_EQ(runs_, 0);
  EndCall();
  EXPECT_EQ(runs_, 1);
  EXPECT_FALSE(cancelled_);
}

TEST_F(SessionTest, WhatComesWholeAfterAllWasCancelledIsCancelled) {
  BeginCall();
  session_.CancelCalls();
  EndCall();
  EXPECT_EQ(runs_, 1);
  EXPECT_TRUE(cancelled_);
}

// Nobody is to go on sending what nobody reads.
TEST_F(SessionTest, AnAnswerBeforeTheRequestsEndStopsItsClient) {
  methods_[kMethod].client_stream = true;
  BeginCall();
  std::string out;
  session_.Send(&out, 1 << 20);
  RunHandlers();
  session_.Resume(1);
  out.clear();
  session_.Send(&out, 1 << 20);
  const std::string reset = Frame(kResetFrame, 0, 1, std::string(4, '\0'));
  EXPECT_THAT(out, ::testing::EndsWith(reset));
}

TEST_F(SessionTest, ATimeoutRunsFromTheHeadersOn) {
  BeginCall("10S");
  clock_.Advance(absl::Seconds(11));
  EndCall();
  EXPECT_EQ(runs_, 1);
  EXPECT_TRUE(cancelled_);
}

}  // namespace
}  // namespace crisp::grpcserver

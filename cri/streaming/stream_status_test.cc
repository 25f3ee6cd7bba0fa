#include "cri/streaming/stream_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace crisp::cri {
namespace {

TEST(StreamStatusTest, Success) {
  EXPECT_EQ(StatusJson(0), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(StatusText(0), "");
}

TEST(StreamStatusTest, AnExitCode) {
  const auto status = nlohmann::json::parse(StatusJson(3));
  EXPECT_EQ(status["status"], "Failure");
  EXPECT_EQ(status["reason"], "NonZeroExitCode");
  EXPECT_EQ(status["details"]["causes"][0]["reason"], "ExitCode");
  EXPECT_EQ(status["details"]["causes"][0]["message"], "3");
  EXPECT_NE(StatusText(3).find("exit code 3"), std::string::npos);
}

TEST(StreamStatusTest, AFailureWhoseWordsAreNotUtf8) {
  const auto status = nlohmann::json::parse(StatusJson(absl::InternalError("no \xff program")));
  EXPECT_EQ(status["status"], "Failure");
  EXPECT_EQ(status["reason"], "InternalError");
  EXPECT_EQ(status["code"], 500);
  EXPECT_EQ(StatusText(absl::InternalError("why")), "why");
}

}  // namespace
}  // namespace crisp::cri

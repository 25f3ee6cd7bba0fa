#include "agent/daemon/agent_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace crisp::agent {
namespace {

using ::testing::HasSubstr;

TEST(AgentCommandTest, HelpTeaches) {
  std::ostringstream out, err;
  EXPECT_EQ(RunAgent({"--help"}, out, err), 0);
  for (const char* word : {"--root", "--listen", "--runtime-endpoint", "--node-name",
                           "--pod-manifest-path", "--manifest-url", "--http-check-frequency",
                           "--legacy-env-names", "--back-off-base", "--log-level", "To begin:"}) {
    EXPECT_THAT(out.str(), HasSubstr(word));
  }
  EXPECT_EQ(err.str(), "");
}

TEST(AgentCommandTest, WhatCannotBeIsNamed) {
  const struct {
    std::vector<std::string> args;
    const char* why;
  } cases[] = {
      {{"--no-such"}, "--no-such"},
      {{"--back-off-base", "soon"}, "soon is no duration such as 10s or 5m"},
      {{"--http-check-frequency", "-1s"}, "is no duration"},
      {{"--manifest-url-header", "words"}, "words is not KEY:VALUE"},
      {{"--log-level", "loud"}, "loud"},
  };
  for (const auto& test : cases) {
    std::ostringstream out, err;
    EXPECT_EQ(RunAgent(test.args, out, err), 1) << test.why;
    EXPECT_THAT(err.str(), HasSubstr(test.why));
    EXPECT_THAT(err.str(), HasSubstr("crisp agent: error: "));
  }
}

}  // namespace
}  // namespace crisp::agent

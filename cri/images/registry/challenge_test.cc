#include "cri/images/registry/challenge.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(ChallengeTest, ReadsBearer) {
  const auto all = ParseChallenges(
      {R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push")"});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].scheme, "bearer");
  EXPECT_EQ(all[0].parameters.at("realm"), "https://auth.example/token");
  EXPECT_EQ(all[0].parameters.at("service"), "reg");
  EXPECT_EQ(all[0].parameters.at("scope"), "repository:a/b:pull,push");
}

TEST(ChallengeTest, PrefersBearerToBasic) {
  const auto all = ParseChallenges({R"(Basic realm="x", bearer Realm=token , service = "a\"b")"});
  ASSERT_EQ(all.size(), 2u);
  const AuthChallenge* chosen = PreferredChallenge(all);
  ASSERT_NE(chosen, nullptr);
  EXPECT_EQ(chosen->scheme, "bearer");
  EXPECT_EQ(chosen->parameters.at("realm"), "token");
  EXPECT_EQ(chosen->parameters.at("service"), "a\"b");
  EXPECT_EQ(PreferredChallenge(ParseChallenges({"Negotiate", R"(Basic realm="y")"}))->scheme,
            "basic");
  EXPECT_EQ(PreferredChallenge(ParseChallenges({"Negotiate"})), nullptr);
}

TEST(ChallengeTest, SurvivesNonsense) {
  for (const char* line : {"", ",,,", "=", "\"", "Bearer realm=\"unterminated", "Bearer realm",
                           "a=b", "Bearer ,=,", "\x01\x02", "Bearer x=\"\\"}) {
    const auto all = ParseChallenges({line});
    for (const AuthChallenge& one : all) EXPECT_FALSE(one.scheme.empty()) << line;
  }
}

}  // namespace
}  // namespace crisp::cri

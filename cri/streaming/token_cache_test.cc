#include "cri/streaming/token_cache.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

StreamRequest Request(StreamKind kind, const std::string& id) {
  StreamRequest request;
  request.kind = kind;
  request.id = id;
  return request;
}

TEST(TokenCacheTest, ATokenIsGoodOnceAndForItsKind) {
  FakeClock clock;
  TokenCache tokens(&clock);
  ASSERT_OK_AND_ASSIGN(const std::string token, tokens.Add(Request(StreamKind::kExec, "a")));
  ASSERT_OK_AND_ASSIGN(const std::string other, tokens.Add(Request(StreamKind::kExec, "b")));
  EXPECT_EQ(token.size(), 22u);
  EXPECT_NE(token, other);
  EXPECT_FALSE(tokens.Take(StreamKind::kAttach, token).has_value());
  ASSERT_TRUE(tokens.Take(StreamKind::kExec, other).has_value());
  EXPECT_EQ(tokens.Take(StreamKind::kExec, token)->id, "a");
  EXPECT_FALSE(tokens.Take(StreamKind::kExec, token).has_value());
  EXPECT_FALSE(tokens.Take(StreamKind::kExec, "").has_value());
}

TEST(TokenCacheTest, ATokenAges) {
  FakeClock clock;
  TokenCache tokens(&clock);
  ASSERT_OK_AND_ASSIGN(const std::string token, tokens.Add(Request(StreamKind::kExec, "a")));
  clock.Advance(TokenCache::kTtl);
  EXPECT_FALSE(tokens.Take(StreamKind::kExec, token).has_value());
}

TEST(TokenCacheTest, OnlySoManyWait) {
  FakeClock clock;
  TokenCache tokens(&clock);
  std::string last;
  for (size_t i = 0; i < TokenCache::kMaxTokens; ++i) {
    ASSERT_OK_AND_ASSIGN(last, tokens.Add(Request(StreamKind::kExec, "a")));
  }
  EXPECT_THAT(tokens.Add(Request(StreamKind::kExec, "a")),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(tokens.Take(StreamKind::kExec, last).has_value());
  EXPECT_OK(tokens.Add(Request(StreamKind::kExec, "a")));
  clock.Advance(TokenCache::kTtl);
  EXPECT_OK(tokens.Add(Request(StreamKind::kExec, "a")));
}

}  // namespace
}  // namespace crisp::cri

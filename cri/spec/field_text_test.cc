#include "cri/spec/field_text.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(IsUtf8, FollowsTheRfc) {
  for (const char* good : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "a\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(CheckContainerPath, CleansAndRefuses) {
  EXPECT_THAT(CheckContainerPath("f", "/a//b/./c/"), IsOkAndHolds("/a/b/c"));
  EXPECT_THAT(CheckContainerPath("f", "/a/..b/c"), IsOkAndHolds("/a/..b/c"));
  for (const std::string& bad :
       {std::string(), std::string("a"), std::string("/"), std::string("//"),
        std::string("/a/../b"), std::string("/.."), std::string("/a\nb"), std::string("/a\0b", 4),
        std::string("/a\xff"), "/" + std::string(4096, 'a')}) {
    EXPECT_THAT(CheckContainerPath("config.f", bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.f: ")))
        << bad;
  }
  EXPECT_THAT(CheckHostPath("f", "/"), IsOkAndHolds("/"));
}

TEST(Quoted, EscapesAndCuts) {
  EXPECT_EQ(Quoted("a\nb"), "\"a\\nb\"");
  EXPECT_LT(Quoted(std::string(10000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace crisp::cri

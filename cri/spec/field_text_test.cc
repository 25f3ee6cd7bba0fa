#include "cri/spec/field_text.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

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

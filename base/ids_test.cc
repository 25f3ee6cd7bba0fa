#include "base/ids.h"

#include <set>

#include "base/status_matchers.h"

namespace crisp {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(IdsTest, NewIdsAreSixtyFourHexDigitsAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(NewId());
  EXPECT_EQ(ids.size(), 100u);
  for (const std::string& id : ids) EXPECT_THAT(id, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(RandomHex(7).size(), 7u);
}

TEST(IdsTest, IdentifiersFollowContainerdsRule) {
  for (const char* good : {"a", "A1", "a.b-c_d", "k8s.io"}) {
    EXPECT_OK(ValidateIdentifier("id", good)) << good;
  }
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a/b", "a b", "a-_b", "\xc3\xa4", "../x"}) {
    EXPECT_THAT(ValidateIdentifier("id", bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("id")))
        << bad;
  }
  EXPECT_OK(ValidateIdentifier("id", std::string(76, 'a')));
  EXPECT_FALSE(ValidateIdentifier("id", std::string(77, 'a')).ok());
}

TEST(IdsTest, DnsNames) {
  EXPECT_TRUE(IsDnsLabel("web-1"));
  EXPECT_TRUE(IsDnsLabel(std::string(63, 'a')));
  for (const std::string& bad :
       {std::string(), std::string(64, 'a'), std::string("-a"), std::string("a-"), std::string("A"),
        std::string("a.b"), std::string("a_b")}) {
    EXPECT_FALSE(IsDnsLabel(bad)) << bad;
  }
  EXPECT_TRUE(IsDnsSubdomain("web.example.com"));
  EXPECT_FALSE(IsDnsSubdomain("web..com"));
  EXPECT_FALSE(IsDnsSubdomain(std::string(254, 'a')));
}

}  // namespace
}  // namespace crisp

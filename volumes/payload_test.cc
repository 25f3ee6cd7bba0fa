#include "volumes/payload.h"

#include <string>

#include "base/status_matchers.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(PayloadTest, PathRules) {
  EXPECT_THAT(CleanPayloadPath("a"), IsOkAndHolds("a"));
  EXPECT_THAT(CleanPayloadPath("a//b/./c"), IsOkAndHolds("a/b/c"));
  EXPECT_THAT(CleanPayloadPath(".hidden"), IsOkAndHolds(".hidden"));
  EXPECT_THAT(CleanPayloadPath("a/..b"), IsOkAndHolds("a/..b"));
  const struct {
    std::string path;
    const char* message;
  } kCases[] = {
      {"", "is empty"},
      {"/etc/passwd", "is absolute"},
      {"..", "contains '..'"},
      {"a/../b", "contains '..'"},
      {"../a", "contains '..'"},
      {"..data", "reserved"},
      {"..foo/x", "reserved"},
      {"./..data", "reserved"},
      {".", "names the volume itself"},
      {std::string("a\0b", 3), "NUL"},
      {std::string(256, 'x'), "255"},
      {std::string(4097, '/'), "is absolute"},
      {"a" + std::string(4096, '/'), "4096"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(CleanPayloadPath(test.path), StatusIs(kInvalid, HasSubstr(test.message)));
  }
}

TEST(PayloadTest, APathIsUsedOnce) {
  Payload payload;
  EXPECT_OK(AddFile(payload, "a//b", {"1", 0644}));
  EXPECT_THAT(AddFile(payload, "a/b", {"2", 0644}), StatusIs(kInvalid, HasSubstr("twice")));
}

TEST(PayloadTest, APathIsNotBothFileAndDirectory) {
  EXPECT_THAT(CheckPayload({{"foo", {}}, {"foo.d", {}}, {"foo/bar", {}}}),
              StatusIs(kInvalid, HasSubstr("'foo' is both a file and a directory")));
  EXPECT_OK(CheckPayload({{"foo", {}}, {"foobar/x", {}}}));
}

TEST(PayloadTest, ModeIsInRange) {
  EXPECT_THAT(CheckPayload({{"foo", {"", 04755}}}), StatusIs(kInvalid, HasSubstr("mode")));
}

}  // namespace
}  // namespace crisp::volumes

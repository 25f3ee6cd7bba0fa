#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace crisp {
namespace {

TEST(Utf8Test, FollowsTheRfc) {
  for (const char* good :
       {"", "plain", "\x7f", "\xc2\x80", "\xc3\xa9", "\xe0\xa0\x80", "\xe2\x82\xac", "\xef\xbf\xbf",
        "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                          "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                          "\xf8\x88\x80\x80\x80", "\xff", "a\xe2\x82", "\xe2\x82z"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(Utf8Test, CharactersAreTakenOneByOne) {
  absl::string_view text = "a\xe2\x82\xac\xf0\x9f\x98\x80\xff!";
  EXPECT_EQ(TakeCodePoint(&text), U'a');
  EXPECT_EQ(TakeCodePoint(&text), U'\u20ac');
  EXPECT_EQ(TakeCodePoint(&text), U'\U0001f600');
  EXPECT_EQ(TakeCodePoint(&text), std::nullopt);
  EXPECT_EQ(TakeCodePoint(&text), U'!');
  EXPECT_TRUE(text.empty());
}

TEST(Utf8Test, APrefixEndsWithAWholeCharacter) {
  const std::string text = "a\xe2\x82\xac";
  EXPECT_EQ(Utf8Prefix(text, 9), text);
  EXPECT_EQ(Utf8Prefix(text, 4), text);
  for (const size_t cut : {1, 2, 3}) EXPECT_EQ(Utf8Prefix(text, cut), "a") << cut;
  EXPECT_EQ(Utf8Prefix(text, 0), "");
}

TEST(Utf8Test, BytesThatAreNoTextAreMarked) {
  EXPECT_EQ(ToUtf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(ToUtf8("a\xff\xe2\x82z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
}

TEST(Utf8Test, CharactersAreCounted) { EXPECT_EQ(CountCodePoints("caf\xc3\xa9"), 4u); }

}  // namespace
}  // namespace crisp

#include "base/shallow_json.h"

#include <gtest/gtest.h>

#include <string>

namespace crisp {
namespace {

std::string Nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ShallowJsonTest, ReadsWhatIsShallow) {
  EXPECT_EQ(ParseShallowJson(R"({"a":[1,{"b":null}]})")["a"][0], 1);
  EXPECT_FALSE(ParseShallowJson(Nested(kMaxJsonDepth)).is_discarded());
  // Side by side is not deep, and brackets in strings are text.
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  EXPECT_EQ(ParseShallowJson(wide + "[]]").size(), 1001u);
  const std::string brackets(1000, '[');
  EXPECT_EQ(ParseShallowJson("\"\\\"" + brackets + "\""), "\"" + brackets);
}

TEST(ShallowJsonTest, ADeepTextIsDiscarded) {
  EXPECT_TRUE(ParseShallowJson(Nested(kMaxJsonDepth + 1)).is_discarded());
  EXPECT_TRUE(ParseShallowJson("{\"a\":" + Nested(4'000'000) + "}").is_discarded());
}

TEST(ShallowJsonTest, WhatIsNoJsonIsDiscarded) {
  for (const char* text : {"", "{", "[1,]", "\"\xff\"", "{} {}"}) {
    EXPECT_TRUE(ParseShallowJson(text).is_discarded()) << text;
  }
}

}  // namespace
}  // namespace crisp

#include "cri/streaming/resize_parser.h"

#include <gtest/gtest.h>

namespace crisp::cri {
namespace {

std::string Words(const std::vector<TerminalSize>& sizes) {
  std::string words;
  for (const TerminalSize& size : sizes) {
    words += std::to_string(size.width) + "x" + std::to_string(size.height) + " ";
  }
  return words;
}

TEST(ResizeParserTest, ObjectsFollowEachOther) {
  ResizeParser parser;
  EXPECT_EQ(Words(parser.Feed("{\"Width\":80,\"Height\":24}\n{\"Width\":132,\"Hei")), "80x24 ");
  EXPECT_EQ(Words(parser.Feed("ght\":43}")), "132x43 ");
  EXPECT_EQ(Words(parser.Feed(R"({"width":1,"height":2})")), "1x2 ");
}

TEST(ResizeParserTest, WhatIsNoSizeIsPassedOver) {
  ResizeParser parser;
  EXPECT_EQ(Words(parser.Feed(R"(junk {"Width":0,"Height":24} {"Width":70000,"Height":1}
      {"Width":-1,"Height":1} {"Width":"a","Height":1} {} {"Width":5,"Height":6})")),
            "5x6 ");
  EXPECT_EQ(Words(parser.Feed("{" + std::string(100000, 'x'))), "");
  EXPECT_EQ(Words(parser.Feed("}{\"Width\":7,\"Height\":8}")), "7x8 ");
}

}  // namespace
}  // namespace crisp::cri

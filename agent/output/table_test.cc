#include "agent/output/table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "agent/output/elastic_tabs.h"
#include "agent/output/line_prefix.h"

namespace crisp::cli {
namespace {

TEST(TableTest, AlignsColumns) {
  EXPECT_EQ(
      FormatTable({{"NAME", "READY", "AGE"}, {"web-frontend", "1/1", "5s"}, {"a", "0/1", ""}}),
      "NAME           READY   AGE\n"
      "web-frontend   1/1     5s\n"
      "a              0/1\n");
  EXPECT_EQ(FormatTable({{"a\x1b[2J", "b"}}), "a\\033[2J   b\n");
}

TEST(TableTest, CellsAreOneLineEach) {
  EXPECT_EQ(FormatTable({{"first\nsecond", "\"quoted\""}}), "first...   \"quoted\"\n");
  EXPECT_EQ(Printable("\xC2\x9B"), "\\302\x9B");
}

TEST(TableTest, AWatchKeepsItsColumns) {
  TableWriter writer;
  EXPECT_EQ(writer.Format({{"NAME", "AGE"}, {"long-name", "1s"}}),
            "NAME        AGE\nlong-name   1s\n");
  EXPECT_EQ(writer.Format({{"a", "2s"}}), "a           2s\n");
}

TEST(ElasticTabsTest, ColumnsAreRunsOfLines) {
  EXPECT_EQ(ElasticTabs("Name:\tweb\nNamespace:\tdefault\nContainers:\n  c:\n    Image:\tx\n"),
            "Name:       web\nNamespace:  default\nContainers:\n  c:\n    Image:  x\n");
  EXPECT_EQ(ElasticTabs("a\tb\tc\nlong\tb\nx\ty\tz\n"), "a     b  c\nlong  b\nx     y  z\n");
}

TEST(LinePrefixTest, WritesWholeLines) {
  std::ostringstream all;
  absl::Mutex mutex;
  {
    LinePrefixBuffer one("[a] ", &all, &mutex), two("[b] ", &all, &mutex);
    std::ostream first(&one), second(&two);
    first << "begin";
    second << "x\ny\n";
    first << "ning\n"
          << "end";
  }
  EXPECT_EQ(all.str(), "[b] x\n[b] y\n[a] beginning\n[a] end\n");
}

TEST(TableTest, AgesAsKubectlPrintsThem) {
  const struct {
    int64_t seconds;
    const char* text;
  } cases[] = {{-5, "<invalid>"}, {0, "0s"},      {119, "119s"},      {120, "2m"},
               {200, "3m20s"},    {600, "10m"},   {10799, "179m"},    {10800, "3h"},
               {19800, "5h30m"},  {28800, "8h"},  {172799, "47h"},    {172800, "2d"},
               {183600, "2d3h"},  {691200, "8d"}, {34560000, "400d"}, {63072000, "2y"}};
  for (const auto& test : cases) EXPECT_EQ(FormatAge(absl::Seconds(test.seconds)), test.text);
}

}  // namespace
}  // namespace crisp::cli

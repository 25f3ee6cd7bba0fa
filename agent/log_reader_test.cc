#include "agent/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

constexpr char kAt1[] = "2026-01-02T03:04:05.000000001Z";
constexpr char kAt2[] = "2026-01-02T03:04:06.5+01:00";

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() {
    char name[] = "/tmp/crisp-logs-XXXXXX";
    dir_ = ::mkdtemp(name);
    path_ = dir_ + "/0.log";
  }
  ~LogReaderTest() override { (void)RemoveTree(dir_); }
  void Append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }
  std::string Print(LogOptions options) {
    std::ostringstream out;
    EXPECT_OK(PrintLog(
        path_, options, [] { return true; }, out));
    return out.str();
  }
  std::string dir_, path_;
};

TEST(ParseLogLineTest, ReadsRecords) {
  const auto line = ParseLogLine("2026-01-02T03:04:05.000000001Z stderr P some  text ");
  ASSERT_TRUE(line.has_value());
  EXPECT_TRUE(line->is_stderr);
  EXPECT_TRUE(line->partial);
  EXPECT_EQ(line->text, "some  text ");
  EXPECT_EQ(line->timestamp, kAt1);
  EXPECT_EQ(ParseLogLine("2026-01-02T03:04:05Z stdout F ")->text, "");
  EXPECT_EQ(ParseLogLine("2026-01-02T03:04:05Z stdout F")->text, "");
  EXPECT_EQ(ParseLogLine("2026-01-02T03:04:05Z stdout F:tag x")->text, "x");
}

TEST(ParseLogLineTest, RefusesOthers) {
  for (const char* record :
       {"", "x", "plain text line", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z stdin F x",
        "2026-01-02T03:04:05Z stdout X y", "yesterday stdout F x"}) {
    EXPECT_FALSE(ParseLogLine(record).has_value()) << record;
  }
}

TEST_F(LogReaderTest, JoinsPartialRecords) {
  Append(std::string(kAt1) + " stdout P ab\n" + kAt1 + " stdout P cd\n" + kAt2 +
         " stdout F ef\nnot a record\n" + kAt2 + " stderr F z\n");
  EXPECT_EQ(Print({}), "abcdef\nnot a record\nz\n");
  LogOptions stamped;
  stamped.timestamps = true;
  EXPECT_EQ(Print(stamped), std::string(kAt1) + " abcdef\nnot a record\n" + kAt2 + " z\n");
}

TEST_F(LogReaderTest, TailAndSince) {
  for (int i = 0; i < 5000; ++i) {
    Append("2026-01-02T03:04:0" + std::to_string(i % 10) + "Z stdout F line " + std::to_string(i) +
           std::string(40, '.') + "\n");
  }
  LogOptions tail;
  tail.tail = 2;
  EXPECT_EQ(Print(tail),
            "line 4998" + std::string(40, '.') + "\nline 4999" + std::string(40, '.') + "\n");
  tail.tail = 4000;  // Over several blocks.
  EXPECT_EQ(Print(tail).substr(0, 10), "line 1000.");
  tail.tail = 0;
  EXPECT_EQ(Print(tail), "");
  tail.tail = 99999;
  EXPECT_EQ(Print(tail).substr(0, 7), "line 0.");
  LogOptions since;
  since.tail = 10;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, "2026-01-02T03:04:09Z", &since.since, nullptr));
  EXPECT_EQ(Print(since), "line 4999" + std::string(40, '.') + "\n");
  EXPECT_EQ(LastLogLine(path_), "line 4999" + std::string(40, '.'));
}

TEST_F(LogReaderTest, FollowsOverRotationAndEndsWithTheContainer) {
  Append(std::string(kAt1) + " stdout F one\n");
  int round = 0;
  std::ostringstream out;
  LogOptions options;
  options.follow = true;
  EXPECT_OK(PrintLog(
      path_, options,
      [&] {
        switch (++round) {
          case 2:
            Append(std::string(kAt1) + " stdout F two\n" + kAt1 + " stdout F hal");
            return false;
          case 3:
            Append("f\n");
            return false;
          case 4:
            EXPECT_EQ(::rename(path_.c_str(), (path_ + ".1").c_str()), 0);
            Append(std::string(kAt2) + " stdout F three\n");
            return false;
          case 6:
            Append(std::string(kAt2) + " stdout F last\n");
            return true;
          default:
            return false;
        }
      },
      out));
  EXPECT_EQ(out.str(), "one\ntwo\nhalf\nthree\nlast\n");
}

TEST_F(LogReaderTest, NoLog) {
  std::ostringstream out;
  EXPECT_THAT(PrintLog(
                  path_, {}, [] { return true; }, out),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(LastLogLine(path_), "");
}

}  // namespace
}  // namespace crisp::agent

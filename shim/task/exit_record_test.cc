#include "shim/task/exit_record.h"

#include <cstdlib>

#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

class ExitRecordTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = JoinPath(::testing::TempDir(), "exit.XXXXXX");
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = JoinPath(dir_, "exit.json");
  }
  void TearDown() override { EXPECT_OK(RemoveTree(dir_)); }

  std::string dir_, path_;
};

TEST_F(ExitRecordTest, ReadsWhatWasWritten) {
  const absl::Time at = absl::FromUnixNanos(1'700'000'000'123'456'789);
  ASSERT_OK(WriteExitRecord(path_, {42, 137, at, true}));
  ASSERT_OK_AND_ASSIGN(const ExitRecord record, ReadExitRecord(path_));
  EXPECT_EQ(record.pid, 42);
  EXPECT_EQ(record.exit_code, 137);
  EXPECT_EQ(record.exited_at, at);
  EXPECT_TRUE(record.oom_killed);
}

TEST_F(ExitRecordTest, AMissingRecordIsNotFound) {
  EXPECT_THAT(ReadExitRecord(path_), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ExitRecordTest, ABrokenRecordIsRefused) {
  for (const char* text : {"", "{", "[]", "{\"pid\":1}", "{\"pid\":\"1\"}",
                           R"({"pid":1,"exit_code":0,"exited_at_ns":1,"oom_killed":"no"})"}) {
    ASSERT_OK(WriteFileAtomic(path_, text, 0600));
    EXPECT_THAT(ReadExitRecord(path_), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace crisp::shim

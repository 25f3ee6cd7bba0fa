#include "cri/records/recorded.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "api/state/v1/state.pb.h"
#include "base/file.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::crisp::state::v1::PodRecord;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "/" + name; }

PodRecord RecordOf(const std::string& id) {
  PodRecord record;
  record.set_id(id);
  (*record.mutable_config()->mutable_labels())["app"] = "web";
  return record;
}

TEST(RecordFileTest, ReadsBackWhatWasWritten) {
  const std::string path = TempPath("round-trip");
  ASSERT_OK(WriteRecord(path, "boot-1", RecordOf("a")));
  PodRecord record;
  std::string boot;
  ASSERT_OK(ReadRecord(path, &record, &boot));
  EXPECT_EQ(boot, "boot-1");
  EXPECT_EQ(record.SerializeAsString(), RecordOf("a").SerializeAsString());
  struct stat st;
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST(RecordFileTest, AbsenceIsNotFound) {
  PodRecord record;
  std::string boot;
  EXPECT_THAT(ReadRecord(TempPath("absent"), &record, &boot),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(RecordFileTest, EveryDamageIsDataLoss) {
  const std::string path = TempPath("damaged");
  ASSERT_OK(WriteRecord(path, "boot-1", RecordOf("abc")));
  ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(path));
  std::string flipped = good;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() - 1), good.substr(0, 10), flipped,
        std::string(100, '\0'), std::string("crisp-record-9 b c\n")}) {
    ASSERT_OK(WriteFileAtomic(path, bad, 0600));
    PodRecord record;
    std::string boot;
    EXPECT_THAT(ReadRecord(path, &record, &boot),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  }
}

TEST(RecordFileTest, ASymlinkInPlaceOfTheRecordIsRefused) {
  const std::string path = TempPath("link");
  ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
  PodRecord record;
  std::string boot;
  EXPECT_FALSE(ReadRecord(path, &record, &boot).ok());
}

TEST(RecordedTest, AFailedWriteChangesNothing) {
  Recorded<PodRecord> recorded(TempPath("no-such-dir/record"), "boot", RecordOf("before"));
  EXPECT_FALSE(recorded.Update([](PodRecord& r) { r.set_id("after"); }).ok());
  EXPECT_EQ(recorded.Get().id(), "before");
}

TEST(RecordedTest, AwaitSeesAnUpdate) {
  Recorded<PodRecord> recorded(TempPath("await"), "boot", RecordOf("x"));
  EXPECT_FALSE(
      recorded.Await([](const PodRecord& r) { return r.started(); }, absl::Milliseconds(1)));
  ASSERT_OK(recorded.Update([](PodRecord& r) { r.set_started(true); }));
  EXPECT_TRUE(recorded.Await([](const PodRecord& r) { return r.started(); }, absl::Seconds(5)));
}

}  // namespace
}  // namespace crisp::cri

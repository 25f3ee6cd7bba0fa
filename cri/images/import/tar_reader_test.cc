#include "cri/images/import/tar_reader.h"

#include <deque>

#include "base/status_matchers.h"
#include "cri/images/import/tar_writer.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

// Hands out an archive byte by byte, so that no piece is ever whole.
class Dribble : public ArchiveReader {
 public:
  explicit Dribble(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<std::string> Next() override {
    if (at_ == bytes_.size()) return std::string();
    return bytes_.substr(at_++, 1);
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

std::string Pax(const std::string& record) {
  std::string line = " " + record + "\n";
  size_t length = line.size() + 1;
  while (std::to_string(length).size() + line.size() != length) ++length;
  return std::to_string(length) + line;
}

// Reads everything; the first error.
absl::Status Drain(const std::string& bytes) {
  StringArchive archive(bytes);
  TarReader tar(&archive);
  while (true) {
    CRISP_ASSIGN_OR_RETURN(auto entry, tar.Next());
    if (!entry.has_value()) return absl::OkStatus();
    CRISP_RETURN_IF_ERROR(tar.ReadText(1 << 20).status());
  }
}

TEST(TarReaderTest, ReadsEntriesInOrder) {
  TarWriter writer;
  writer.Directory("d/");
  writer.File("d/a", "hello");
  writer.Symlink("l", "d/a");
  writer.Hardlink("h", "d/a");
  writer.File("empty", "");
  writer.File("big", std::string(3000, 'x'));
  Dribble archive(writer.Finish());
  TarReader tar(&archive);
  ASSERT_OK_AND_ASSIGN(auto entry, tar.Next());
  EXPECT_EQ(entry->kind, TarEntry::Kind::kDirectory);
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_EQ(entry->name, "d/a");
  EXPECT_THAT(tar.ReadText(100), IsOkAndHolds("hello"));
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_EQ(entry->kind, TarEntry::Kind::kSymlink);
  EXPECT_EQ(entry->target, "d/a");
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_EQ(entry->kind, TarEntry::Kind::kHardlink);
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_EQ(entry->size, 0);
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_THAT(tar.ReadText(2999), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_FALSE(entry.has_value());
}

TEST(TarReaderTest, LongNames) {
  const std::string name(150, 'n'), deep = std::string(180, 'p');
  TarWriter writer;
  writer.File(name, "gnu");
  writer.Entry("pax", 'x', "", Pax("path=" + deep), 0);
  writer.File("short", "pax");
  StringArchive archive(writer.Finish());
  TarReader tar(&archive);
  ASSERT_OK_AND_ASSIGN(auto entry, tar.Next());
  EXPECT_EQ(entry->name, name);
  ASSERT_OK_AND_ASSIGN(entry, tar.Next());
  EXPECT_EQ(entry->name, deep);
  EXPECT_THAT(tar.ReadText(100), IsOkAndHolds("pax"));
}

TEST(TarReaderTest, RefusesWhatIsNoTar) {
  const absl::StatusCode kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(Drain(""), StatusIs(kBad));
  EXPECT_THAT(Drain(std::string(1024, '\0')), StatusIs(kBad));
  EXPECT_THAT(Drain("\x1f\x8b" + std::string(2000, 'z')), StatusIs(kBad, HasSubstr("checksum")));
  EXPECT_THAT(Drain(std::string(100, 'a')), StatusIs(kBad));
  TarWriter writer;
  writer.File("a", std::string(1000, 'x'));
  const std::string good = writer.Finish();
  EXPECT_OK(Drain(good));
  EXPECT_OK(Drain(good.substr(0, 512 + 1000))) << "padding may be cut";
  EXPECT_THAT(Drain(good.substr(0, 900)), StatusIs(kBad, HasSubstr("ends within")));
  EXPECT_THAT(Drain(good.substr(0, 300)), StatusIs(kBad));
  std::string flipped = good;
  flipped[0] = 'b';
  EXPECT_THAT(Drain(flipped), StatusIs(kBad, HasSubstr("checksum")));
}

TEST(TarReaderTest, RefusesHostileHeaders) {
  for (const std::string& record :
       {std::string("size=-1"), std::string("size=99999999999999999"), std::string("size=abc"),
        std::string("GNU.sparse.major=1"), std::string("path=a\0b", 8)}) {
    TarWriter writer;
    writer.Entry("pax", 'x', "", Pax(record), 0);
    writer.File("a", "x");
    EXPECT_THAT(Drain(writer.Finish()), StatusIs(absl::StatusCode::kInvalidArgument)) << record;
  }
  for (const char* text : {"5 a=b\n", "999 a=b\n", "x", "-1 a=b\n", "6 ab\n\n"}) {
    TarWriter writer;
    writer.Entry("pax", 'x', "", text, 0);
    writer.File("a", "x");
    EXPECT_THAT(Drain(writer.Finish()), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  TarWriter huge;
  huge.Entry("pax", 'x', "", std::string((1 << 20) + 1, 'x'), 0);
  EXPECT_THAT(Drain(huge.Finish()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 MiB")));
}

}  // namespace
}  // namespace crisp::cri

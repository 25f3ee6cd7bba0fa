#include "cri/streaming/spdy_frame.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;

// What a parser makes of bytes, as words.
class Seen {
 public:
  Seen()
      : parser_({.on_control =
                     [this](SpdyControl control) {
                       Flush();
                       words.push_back(absl::StrCat("control ", static_cast<int>(control.type),
                                                    " flags ", control.flags, " id ",
                                                    control.stream_id, " status ", control.status,
                                                    " block ", control.header_block));
                       return absl::OkStatus();
                     },
                 .on_data =
                     [this](uint32_t id, absl::string_view data, bool fin) {
                       if (id != data_id_) Flush();
                       data_id_ = id;
                       absl::StrAppend(&data_, data);
                       if (fin) {
                         data_ += "<fin>";
                         Flush();
                       }
                       return absl::OkStatus();
                     }}) {}

  absl::Status Feed(absl::string_view bytes) { return parser_.Feed(bytes); }
  void Flush() {
    if (!data_.empty()) words.push_back(absl::StrCat("data ", data_id_, " ", data_));
    data_.clear();
  }

  std::vector<std::string> words;

 private:
  uint32_t data_id_ = 0;
  std::string data_;
  SpdyParser parser_;
};

std::string Conversation() {
  return absl::StrCat(SpdySynStream(1, "block", kSpdyFin), SpdySynReply(1, "reply"),
                      SpdyDataHeader(1, 5, false), "hello", SpdyDataHeader(3, 0, true),
                      SpdyPing(0x80000001), SpdyRstStream(1, SpdyReset::kCancel),
                      SpdyDataHeader(5, 3, true), "end", SpdyGoAway(5));
}

constexpr char kWords[] =
    "control 1 flags 1 id 1 status 0 block block|control 2 flags 0 id 1 status 0 block reply|"
    "data 1 hello|data 3 <fin>|control 6 flags 0 id 2147483649 status 0 block |"
    "control 3 flags 0 id 1 status 5 block |data 5 end<fin>|"
    "control 7 flags 0 id 5 status 0 block ";

TEST(SpdyFrameTest, ReadsWhatItWrites) {
  Seen seen;
  ASSERT_OK(seen.Feed(Conversation()));
  EXPECT_EQ(absl::StrJoin(seen.words, "|"), kWords);
}

TEST(SpdyFrameTest, BytesMayComeInAnyPieces) {
  for (const size_t piece : {1, 2, 3, 7, 8, 9}) {
    Seen seen;
    const std::string all = Conversation();
    for (size_t i = 0; i < all.size(); i += piece) ASSERT_OK(seen.Feed(all.substr(i, piece)));
    EXPECT_EQ(absl::StrJoin(seen.words, "|"), kWords) << piece;
  }
}

TEST(SpdyFrameTest, BytesAsClientsSendThem) {
  // A ping, and data of two bytes with FIN.
  Seen seen;
  ASSERT_OK(
      seen.Feed(absl::string_view("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x05"
                                  "\x00\x00\x00\x07\x01\x00\x00\x02hi",
                                  22)));
  EXPECT_THAT(seen.words, ElementsAre("control 6 flags 0 id 5 status 0 block ", "data 7 hi<fin>"));
}

TEST(SpdyFrameTest, ALongFrameIsNotKept) {
  Seen seen;
  ASSERT_OK(seen.Feed(SpdyDataHeader(1, 0xffffff, false)));
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 255; ++i) ASSERT_OK(seen.Feed(piece));
}

TEST(SpdyFrameTest, RefusesWhatIsNoSpdy3) {
  const std::vector<std::string> bad = {
      std::string("\x80\x02\x00\x06\x00\x00\x00\x04", 8),     // Version 2.
      std::string("\x80\x03\x00\x06\x00\xff\xff\xff", 8),     // A control frame without bound.
      std::string("\x80\x03\x00\x63\x00\x00\x00\x00", 8),     // No such type.
      std::string("\x80\x03\x00\x06\x00\x00\x00\x00", 8),     // A ping without its id.
      std::string("\x80\x03\x00\x01\x00\x00\x00\x02xx", 10),  // Half a SYN_STREAM.
  };
  for (const std::string& bytes : bad) {
    Seen seen;
    EXPECT_THAT(seen.Feed(bytes), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace crisp::cri

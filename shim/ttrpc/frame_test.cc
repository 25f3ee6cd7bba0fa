#include "shim/ttrpc/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace crisp::shim {
namespace {

using ::testing::ElementsAre;

struct Seen {
  uint32_t stream;
  std::string payload;
  bool fits;
  bool operator==(const Seen& o) const {
    return stream == o.stream && payload == o.payload && fits == o.fits;
  }
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.stream << ":" << seen.payload.size() << (seen.fits ? "" : " too long");
}

std::vector<Seen> Feed(FrameParser* parser, absl::string_view bytes, size_t chunk) {
  std::vector<Seen> seen;
  while (!bytes.empty()) {
    const size_t n = std::min(chunk, bytes.size());
    parser->Feed(bytes.substr(0, n),
                 [&](const FrameHeader& header, absl::string_view p, bool fits) {
                   seen.push_back({header.stream, std::string(p), fits});
                 });
    bytes.remove_prefix(n);
  }
  return seen;
}

TEST(Frame, HeaderIsBigEndian) {
  std::string out;
  AppendFrame(&out, 0x01020304, FrameType::kResponse, "hello");
  EXPECT_EQ(out, std::string("\0\0\0\5\1\2\3\4\2\0hello", 15));
  const FrameHeader header = DecodeFrameHeader(out);
  EXPECT_EQ(header.length, 5U);
  EXPECT_EQ(header.stream, 0x01020304U);
  EXPECT_EQ(header.type, 2);
  EXPECT_EQ(header.flags, 0);
}

TEST(Frame, AnyChunkingGivesTheSameFrames) {
  std::string bytes;
  AppendFrame(&bytes, 1, FrameType::kRequest, "first");
  AppendFrame(&bytes, 3, FrameType::kRequest, "");
  AppendFrame(&bytes, 5, FrameType::kRequest, std::string(40, 'x'));  // Too long.
  AppendFrame(&bytes, 7, FrameType::kRequest, "last");
  for (size_t chunk = 1; chunk <= bytes.size(); ++chunk) {
    FrameParser parser(32);
    EXPECT_THAT(Feed(&parser, bytes, chunk), ElementsAre(Seen{1, "first", true}, Seen{3, "", true},
                                                         Seen{5, "", false}, Seen{7, "last", true}))
        << "in chunks of " << chunk;
    EXPECT_FALSE(parser.within_frame());
  }
}

TEST(Frame, AFrameOfTheBoundFits) {
  FrameParser parser(kMaxFramePayload);
  std::string bytes;
  AppendFrame(&bytes, 1, FrameType::kRequest, std::string(kMaxFramePayload, 'x'));
  const auto seen = Feed(&parser, bytes, 64 << 10);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_TRUE(seen[0].fits);
  EXPECT_EQ(seen[0].payload.size(), kMaxFramePayload);
}

TEST(Frame, AnHonestHeaderWithAHugeLengthTakesNoMemory) {
  FrameParser parser(kMaxFramePayload);
  std::string bytes("\xff\xff\xff\xff\0\0\0\1\1\0", 10);
  EXPECT_TRUE(Feed(&parser, bytes, 3).empty());
  EXPECT_TRUE(parser.within_frame());
}

}  // namespace
}  // namespace crisp::shim

#include "cri/streaming/spdy_headers.h"

#include <openssl/sha.h>
#include <zlib.h>

#include "absl/strings/escaping.h"
#include "base/status_matchers.h"
#include "cri/streaming/spdy_dictionary.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(SpdyDictionaryTest, IsTheOneOfTheSpecification) {
  const std::string& text = SpdyDictionary();
  EXPECT_EQ(text.size(), 1423u);
  EXPECT_EQ(::adler32(::adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(text.data()),
                      static_cast<uInt>(text.size())),
            0xe3c6a7c2u);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  EXPECT_EQ(absl::BytesToHexString(
                absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest))),
            "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02");
}

TEST(SpdyHeadersTest, BlocksFollowEachOtherThroughOneStream) {
  SpdyHeaderEncoder encoder;
  SpdyHeaderDecoder decoder;
  const SpdyHeaders first = {{"port", "80"}, {"requestid", "0"}, {"streamtype", "error"}};
  const SpdyHeaders second = {{"port", "80"}, {"requestid", "0"}, {"streamtype", "data"}};
  const std::string one = encoder.Encode(first), two = encoder.Encode(second);
  // zlib's header says that a dictionary was preset, and which.
  EXPECT_EQ(absl::BytesToHexString(one.substr(2, 4)), "e3c6a7c2");
  EXPECT_LT(two.size(), one.size());
  EXPECT_THAT(decoder.Decode(one), IsOkAndHolds(first));
  EXPECT_THAT(decoder.Decode(two), IsOkAndHolds(second));
  EXPECT_THAT(decoder.Decode(encoder.Encode({})), IsOkAndHolds(SpdyHeaders()));
}

TEST(SpdyHeadersTest, NamesAreLowered) {
  EXPECT_THAT(ParseSpdyHeaders(SpdyHeaderText({{"StreamType", "stdin"}})),
              IsOkAndHolds(SpdyHeaders{{"streamtype", "stdin"}}));
}

TEST(SpdyHeadersTest, RefusesWhatIsCutOffDoubledOrTooLong) {
  std::string text = SpdyHeaderText({{"a", "1"}, {"b", "2"}});
  for (size_t n = 0; n < text.size(); ++n) {
    EXPECT_FALSE(ParseSpdyHeaders(text.substr(0, n)).ok()) << n;
  }
  EXPECT_FALSE(ParseSpdyHeaders(text + "x").ok());
  text[text.size() - 6] = 'a';
  EXPECT_THAT(ParseSpdyHeaders(text).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_FALSE(ParseSpdyHeaders(SpdyHeaderText({{"", "1"}})).ok());
  EXPECT_FALSE(ParseSpdyHeaders(absl::string_view("\xff\xff\xff\xff", 4)).ok());
}

TEST(SpdyHeadersTest, ABombIsDefused) {
  SpdyHeaderEncoder encoder;
  SpdyHeaderDecoder decoder;
  const std::string bomb = encoder.Encode({{"a", std::string(16 << 20, 'x')}});
  EXPECT_LT(bomb.size(), 128u << 10);
  EXPECT_THAT(decoder.Decode(bomb).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too large")));
  // The state is lost with it.
  EXPECT_FALSE(decoder.Decode(encoder.Encode({})).ok());
}

TEST(SpdyHeadersTest, RefusesWhatIsNotZlib) {
  SpdyHeaderDecoder decoder;
  EXPECT_FALSE(decoder.Decode("not zlib at all").ok());
  SpdyHeaderDecoder empty;
  EXPECT_FALSE(empty.Decode("").ok());
}

}  // namespace
}  // namespace crisp::cri

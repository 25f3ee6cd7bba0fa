#include "cri/streaming/channel_codec.h"

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

class ChannelCodecTest : public ::testing::Test {
 protected:
  ChannelDecoder Decoder(const WebSocketProtocol& protocol) {
    return ChannelDecoder(
        protocol,
        {.on_data =
             [this](uint8_t channel, absl::string_view data) {
               absl::StrAppend(&seen_, channel, ":", data, ";");
             },
         .on_close = [this](uint8_t channel) { absl::StrAppend(&seen_, channel, "!;"); }});
  }

  std::string seen_;
};

TEST_F(ChannelCodecTest, BinaryMessages) {
  const WebSocketProtocol protocol;
  ChannelDecoder decoder = Decoder(protocol);
  EXPECT_OK(decoder.Feed(ChannelMessage(protocol, 0, "hello"), true));
  EXPECT_OK(decoder.Feed("", true));
  EXPECT_OK(decoder.Feed(absl::string_view("\x04", 1), false));
  EXPECT_OK(decoder.Feed("size", false));
  EXPECT_OK(decoder.Feed("!", true));
  EXPECT_OK(decoder.Feed(ChannelMessage(protocol, 255, "x"), true));
  EXPECT_EQ(seen_, "0:hello;4:size;4:!;255:x;");
  EXPECT_EQ(ChannelMessage(protocol, 1, ""), std::string("\x01"));
}

TEST_F(ChannelCodecTest, Base64MessagesInPieces) {
  WebSocketProtocol protocol;
  protocol.base64 = true;
  const std::string message = ChannelMessage(protocol, 0, "some bytes\xff");
  EXPECT_EQ(message, "0c29tZSBieXRlc/8=");
  for (size_t cut = 0; cut <= message.size(); ++cut) {
    std::string all;
    ChannelDecoder decoder(
        protocol, {.on_data = [&](uint8_t, absl::string_view data) { absl::StrAppend(&all, data); },
                   .on_close = nullptr});
    EXPECT_OK(decoder.Feed(message.substr(0, cut), false));
    EXPECT_OK(decoder.Feed(message.substr(cut), true));
    EXPECT_EQ(all, "some bytes\xff") << cut;
  }
}

TEST_F(ChannelCodecTest, RefusesWhatIsNotBase64) {
  WebSocketProtocol protocol;
  protocol.base64 = true;
  ChannelDecoder no_digit = Decoder(protocol);
  EXPECT_FALSE(no_digit.Feed("xAAAA", true).ok());
  ChannelDecoder no_text = Decoder(protocol);
  EXPECT_FALSE(no_text.Feed("0****", true).ok());
  ChannelDecoder half = Decoder(protocol);
  EXPECT_FALSE(half.Feed("0A", true).ok());
}

// Found by a fuzzer: the same whatever pieces it comes in.
TEST_F(ChannelCodecTest, Base64HasNoWhiteSpaceAndOneEnd) {
  WebSocketProtocol protocol;
  protocol.base64 = true;
  for (const std::string message : {"40 00444", "0QQ==QQ==", "0QQ==Q", "0=QQQ"}) {
    for (size_t cut = 1; cut <= message.size(); ++cut) {
      ChannelDecoder decoder = Decoder(protocol);
      const bool begun = decoder.Feed(message.substr(0, cut), false).ok();
      EXPECT_FALSE(begun && decoder.Feed(message.substr(cut), true).ok()) << message << " " << cut;
    }
  }
}

TEST_F(ChannelCodecTest, V5ClosesAChannel) {
  WebSocketProtocol protocol;
  protocol.half_close = true;
  ChannelDecoder decoder = Decoder(protocol);
  EXPECT_OK(decoder.Feed(ChannelMessage(protocol, 0, "last"), true));
  EXPECT_OK(decoder.Feed(absl::string_view("\xff\x00", 2), true));
  EXPECT_EQ(seen_, "0:last;0!;");
}

}  // namespace
}  // namespace crisp::cri

#include "cri/streaming/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;

TEST(ProtocolTest, HeadersMayBeRepeatedOrListed) {
  EXPECT_THAT(HeaderItems({"v4.channel.k8s.io, v3.channel.k8s.io", " ,", "channel.k8s.io"}),
              ElementsAre("v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"));
}

TEST(ProtocolTest, TheClientsOrderDecides) {
  const auto v4 = ChooseSpdyProtocol(StreamKind::kExec,
                                     {"v9.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io"});
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->name, "v4.channel.k8s.io");
  EXPECT_TRUE(v4->status_json);
  EXPECT_TRUE(v4->resize);
  const auto v3 = ChooseSpdyProtocol(StreamKind::kAttach, {"v3.channel.k8s.io"});
  EXPECT_FALSE(v3->status_json);
  EXPECT_TRUE(v3->resize);
  for (const char* old : {"channel.k8s.io", "v2.channel.k8s.io"}) {
    const auto chosen = ChooseSpdyProtocol(StreamKind::kExec, {old});
    EXPECT_FALSE(chosen->status_json);
    EXPECT_FALSE(chosen->resize);
  }
  EXPECT_TRUE(ChooseSpdyProtocol(StreamKind::kExec, {"v5.channel.k8s.io"})->status_json);
  EXPECT_FALSE(ChooseSpdyProtocol(StreamKind::kExec, {"portforward.k8s.io"}).has_value());
  EXPECT_FALSE(ChooseSpdyProtocol(StreamKind::kPortForward, {"v4.channel.k8s.io"}).has_value());
  EXPECT_TRUE(ChooseSpdyProtocol(StreamKind::kPortForward, {"portforward.k8s.io"}).has_value());
}

TEST(ProtocolTest, WebSocketForms) {
  const auto plain = ChooseWebSocketProtocol(StreamKind::kExec, {});
  EXPECT_EQ(plain->name, "");
  EXPECT_FALSE(plain->status_json || plain->base64 || plain->half_close || plain->spdy_tunnel);
  const auto v5 = ChooseWebSocketProtocol(StreamKind::kExec, {"v5.channel.k8s.io"});
  EXPECT_TRUE(v5->status_json && v5->half_close && !v5->base64);
  const auto v4 = ChooseWebSocketProtocol(StreamKind::kExec, {"x", "v4.base64.channel.k8s.io"});
  EXPECT_TRUE(v4->status_json && v4->base64 && !v4->half_close);
  const auto v1 = ChooseWebSocketProtocol(StreamKind::kExec, {"base64.channel.k8s.io"});
  EXPECT_TRUE(!v1->status_json && v1->base64);
  EXPECT_FALSE(ChooseWebSocketProtocol(StreamKind::kExec, {"SPDY/3.1+portforward.k8s.io"}));
  EXPECT_TRUE(ChooseWebSocketProtocol(StreamKind::kPortForward, {"SPDY/3.1+portforward.k8s.io"})
                  ->spdy_tunnel);
  const auto forward = ChooseWebSocketProtocol(StreamKind::kPortForward, {"v5.channel.k8s.io"});
  EXPECT_TRUE(forward->half_close && forward->tells_close);
  EXPECT_FALSE(v5->tells_close);
  EXPECT_TRUE(ChooseWebSocketProtocol(StreamKind::kPortForward, {"v4.channel.k8s.io"}));
}

}  // namespace
}  // namespace crisp::cri

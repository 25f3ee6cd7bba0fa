#include "netns/ipv4.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::netns {
namespace {

TEST(Ipv4NetTest, KnowsItsBounds) {
  ASSERT_OK_AND_ASSIGN(const Ipv4Net net, Ipv4Net::Parse("10.85.3.7/16"));
  EXPECT_EQ(net.ToString(), "10.85.3.7/16");
  EXPECT_EQ(net.Network().ToString(), "10.85.0.0");
  EXPECT_EQ(net.Broadcast().ToString(), "10.85.255.255");
  EXPECT_TRUE(net.Contains(*Ipv4::Parse("10.85.200.1")));
  EXPECT_FALSE(net.Contains(*Ipv4::Parse("10.86.0.1")));
}

TEST(Ipv4NetTest, OverlapsEitherWay) {
  const Ipv4Net wide = *Ipv4Net::Parse("10.85.0.0/16");
  const Ipv4Net narrow = *Ipv4Net::Parse("10.85.4.0/24");
  const Ipv4Net other = *Ipv4Net::Parse("10.86.0.0/24");
  EXPECT_TRUE(wide.Overlaps(narrow));
  EXPECT_TRUE(narrow.Overlaps(wide));
  EXPECT_FALSE(wide.Overlaps(other));
  EXPECT_TRUE(wide.Overlaps(*Ipv4Net::Parse("0.0.0.0/0")));
}

TEST(Ipv4NetTest, RefusesWhatIsNotANetwork) {
  for (const char* text : {"", "10.85.0.0", "10.85.0.0/33", "10.85.0.0/-1", "10.85.0/16",
                           "10.85.0.0/16x", "::1/64", "10.85.0.256/16"}) {
    EXPECT_THAT(Ipv4Net::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

}  // namespace
}  // namespace crisp::netns

#include "netns/attachment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::netns {
namespace {

using testing::HasSubstr;

TEST(PublishedPortsTest, LeavesOutWhatIsNotPublishedAndMakesTheRestCanonical) {
  std::vector<PortMapping> out;
  ASSERT_OK(PublishedPorts(
      {{"tcp", 80, 0, ""}, {"UDP", 53, 5353, "0.0.0.0"}, {"", 80, 8080, "127.0.0.1"}}, &out));
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(PortText(out[0]), "5353/udp");
  EXPECT_EQ(PortText(out[1]), "127.0.0.1:8080/tcp");
}

TEST(PublishedPortsTest, NamesWhatIsWrong) {
  std::vector<PortMapping> out;
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(PublishedPorts({{"icmp", 80, 80, ""}}, &out), StatusIs(code, HasSubstr("icmp")));
  EXPECT_THAT(PublishedPorts({{"tcp", 80, 65536, ""}}, &out), StatusIs(code, HasSubstr("65536")));
  EXPECT_THAT(PublishedPorts({{"tcp", 0, 80, ""}}, &out), StatusIs(code));
  EXPECT_THAT(PublishedPorts({{"tcp", 80, 80, "localhost"}}, &out),
              StatusIs(code, HasSubstr("localhost")));
  EXPECT_THAT(PublishedPorts({{"tcp", 80, 80, ""}, {"TCP", 81, 80, "10.0.0.1"}}, &out),
              StatusIs(code, HasSubstr("twice")));
}

TEST(PortsCollideTest, TheWildcardCollidesWithEveryAddress) {
  const PortMapping any{"tcp", 80, 8080, ""};
  const PortMapping one{"tcp", 80, 8080, "10.0.0.1"};
  const PortMapping other{"tcp", 80, 8080, "10.0.0.2"};
  const PortMapping udp{"udp", 80, 8080, ""};
  EXPECT_TRUE(PortsCollide(any, one));
  EXPECT_TRUE(PortsCollide(one, any));
  EXPECT_TRUE(PortsCollide(one, one));
  EXPECT_FALSE(PortsCollide(one, other));
  EXPECT_FALSE(PortsCollide(any, udp));
}

}  // namespace
}  // namespace crisp::netns

#include "netns/builtin/reservations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "netns/testing/fake_plugin.h"

namespace crisp::netns {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ReservationsTest : public testing::Test {
 protected:
  Reservations Make(const std::string& subnet = "10.9.0.0/29") {
    return Reservations(dir_, *Ipv4Net::Parse(subnet));
  }
  std::string dir_ = FreshDir("state");
};

TEST_F(ReservationsTest, GivesOutEveryAddressButTheGatewaysOnce) {
  Reservations pool = Make();
  EXPECT_EQ(pool.gateway().ToString(), "10.9.0.1");
  std::set<std::string> given;
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK_AND_ASSIGN(const Reservation r, pool.Reserve(absl::StrCat("id", i), "ns/pod", {}));
    given.insert(r.ip.ToString());
  }
  EXPECT_THAT(given,
              testing::ElementsAre("10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"));
  EXPECT_THAT(pool.Reserve("more", "ns/pod", {}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("10.9.0.0/29")));
  EXPECT_OK(pool.Free("id3"));
  EXPECT_OK(pool.Free("id3"));
  ASSERT_OK_AND_ASSIGN(const Reservation r, pool.Reserve("more", "ns/pod", {}));
  EXPECT_EQ(r.ip.ToString(), "10.9.0.5");
}

TEST_F(ReservationsTest, AFreedAddressRests) {
  Reservations pool = Make();
  ASSERT_OK(pool.Reserve("a", "ns/pod", {}).status());
  ASSERT_OK(pool.Free("a"));
  // The next process goes on where this one stopped.
  ASSERT_OK_AND_ASSIGN(const Reservation r, Make().Reserve("b", "ns/pod", {}));
  EXPECT_EQ(r.ip.ToString(), "10.9.0.3");
}

TEST_F(ReservationsTest, SurvivesTheProcessWithItsPorts) {
  ASSERT_OK_AND_ASSIGN(const Reservation before,
                       Make().Reserve("a", "ns/pod", {{"udp", 53, 5353, "127.0.0.1"}}));
  Reservations next = Make();
  ASSERT_OK_AND_ASSIGN(const Reservation after, next.Find("a"));
  EXPECT_EQ(after.ip, before.ip);
  EXPECT_EQ(after.link, before.link);
  ASSERT_EQ(after.ports.size(), 1u);
  EXPECT_EQ(PortText(after.ports[0]), "127.0.0.1:5353/udp");
  EXPECT_THAT(next.Reserve("a", "ns/pod", {}), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(ReservationsTest, SeesWhatAnotherProcessDoes) {
  Reservations one = Make();
  Reservations other = Make();
  ASSERT_OK_AND_ASSIGN(const Reservation a, one.Reserve("a", "ns/pod", {}));
  ASSERT_OK_AND_ASSIGN(const Reservation b, other.Reserve("b", "ns/pod", {}));
  EXPECT_NE(a.ip, b.ip);
  ASSERT_OK(one.Free("b"));
  EXPECT_THAT(other.Find("b"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ReservationsTest, APortHeldByAnotherPodIsNamed) {
  Reservations pool = Make();
  ASSERT_OK(pool.Reserve("a", "shop/web", {{"tcp", 80, 8080, ""}}).status());
  EXPECT_THAT(pool.Reserve("b", "shop/api", {{"tcp", 80, 8080, "10.0.0.1"}}),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr("8080/tcp"), HasSubstr("shop/web"))));
  EXPECT_OK(pool.Reserve("b", "shop/api", {{"udp", 80, 8080, ""}}).status());
  EXPECT_OK(pool.Free("a"));
  EXPECT_OK(pool.Reserve("c", "shop/api", {{"tcp", 80, 8080, "10.0.0.1"}}).status());
}

TEST_F(ReservationsTest, ADamagedFileHoldsNothing) {
  ASSERT_OK(Make().Reserve("a", "ns/pod", {}).status());
  ASSERT_OK(WriteFileAtomic(dir_ + "/a.json", "{\"ip\":", 0600));
  Reservations next = Make();
  EXPECT_THAT(next.Find("a"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(next.Reserve("a", "ns/pod", {}).status());
}

TEST_F(ReservationsTest, ConcurrentCallersNeverShareAnAddress) {
  Reservations one = Make("10.9.0.0/24");
  Reservations other = Make("10.9.0.0/24");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        Reservations& pool = t % 2 == 0 ? one : other;
        EXPECT_OK(pool.Reserve(absl::StrCat("id", t, "x", i), "ns/pod", {}).status());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const std::vector<Reservation> all, one.List());
  std::set<Ipv4> ips;
  for (const Reservation& r : all) ips.insert(r.ip);
  EXPECT_EQ(all.size(), 80u);
  EXPECT_EQ(ips.size(), 80u);
}

TEST(LinkNameTest, IsAStableInterfaceName) {
  const std::string name = LinkName(std::string(64, 'a'));
  EXPECT_EQ(name.size(), 15u);
  EXPECT_EQ(name, LinkName(std::string(64, 'a')));
  EXPECT_NE(name, LinkName(std::string(64, 'b')));
}

}  // namespace
}  // namespace crisp::netns

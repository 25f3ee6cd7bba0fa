#include "netns/cni/result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::netns {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kInternal = absl::StatusCode::kInternal;

absl::StatusOr<std::vector<std::string>> Ips(const std::string& text) {
  CRISP_ASSIGN_OR_RETURN(const json result, ParseResult(text, "1.0.0"));
  return PodIps(result, "eth0", [](const std::string& path) { return path == "/ns"; });
}

std::string Interfaces(const std::string& ips) {
  return absl::StrCat(R"({"interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/ns"},
      {"name": "eth0", "sandbox": "/other"}], "ips": [)",
                      ips, "]}");
}

TEST(ResultTest, FillsInTheVersion) {
  ASSERT_OK_AND_ASSIGN(const json result, ParseResult("{}", "0.4.0"));
  EXPECT_EQ(result["cniVersion"], "0.4.0");
  EXPECT_THAT(ParseResult(R"({"cniVersion": "7.0.0"})", "0.4.0"), StatusIs(kInternal));
}

TEST(ResultTest, ShowsHowGarbageBegins) {
  EXPECT_THAT(ParseResult("", "1.0.0"), StatusIs(kInternal));
  EXPECT_THAT(ParseResult("Segmentation fault\n", "1.0.0"),
              StatusIs(kInternal, HasSubstr("Segmentation")));
  EXPECT_THAT(ParseResult(std::string(100000, 'x'), "1.0.0").status().message().size(),
              testing::Lt(1000u));
}

TEST(ResultTest, AnErrorObjectIsAnErrorWhateverTheExitCode) {
  const std::string text = R"({"code": 11, "msg": "busy", "details": "later"})";
  EXPECT_THAT(ParseResult(text, "1.0.0"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("busy; later (CNI code 11)")));
  EXPECT_THAT(ParseError(text, "", 1), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(ResultTest, AnErrorWithoutAnObjectShowsTheEndOfStderr) {
  EXPECT_THAT(ParseError("", "goroutine 1\npanic: no", 2),
              StatusIs(kInternal, testing::AllOf(HasSubstr("panic: no"), HasSubstr("code 2"))));
}

TEST(PodIpsTest, TakesThePodsAddressesFirstIpv4First) {
  EXPECT_THAT(*Ips(Interfaces(R"({"address": "fd00::5/64", "interface": 1},
                                 {"address": "10.0.0.1/24", "interface": 0},
                                 {"address": "10.0.0.5/24", "interface": 1},
                                 {"address": "10.0.0.6/24"})")),
              ElementsAre("10.0.0.5", "fd00::5", "10.0.0.6"));
}

TEST(PodIpsTest, ReadsTheOldForm) {
  EXPECT_THAT(*Ips(R"({"ip6": {"ip": "fd00::5/64"}, "ip4": {"ip": "10.0.0.5/24"}})"),
              ElementsAre("10.0.0.5", "fd00::5"));
}

TEST(PodIpsTest, RefusesWhatCannotBeThePods) {
  const auto one = [](const std::string& ip) { return Ips(Interfaces(ip)); };
  EXPECT_THAT(Ips("{}"), StatusIs(kInternal, HasSubstr("no address for eth0")));
  EXPECT_THAT(Ips(R"({"ips": null})"), StatusIs(kInternal));
  EXPECT_THAT(Ips(R"({"ips": {"address": "10.0.0.5/24"}})"), StatusIs(kInternal));
  EXPECT_THAT(one(R"({"address": "10.0.0.1/24", "interface": 0})"), StatusIs(kInternal));
  EXPECT_THAT(one(R"({"address": "10.0.0.5/24", "interface": 2})"),
              StatusIs(kInternal, HasSubstr("/other")));
  EXPECT_THAT(one(R"({"address": "10.0.0.5/24", "interface": 9})"), StatusIs(kInternal));
  EXPECT_THAT(one(R"({"address": "10.0.0.5/24", "interface": -1})"), StatusIs(kInternal));
  for (const char* address : {"", "10.0.0", "0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/4", "::1/128",
                              "::/0", "ff02::1/16", "10.0.0.5;rm"}) {
    EXPECT_THAT(one(absl::StrCat(R"({"address": ")", address, R"("})")), StatusIs(kInternal))
        << address;
  }
}

TEST(PodIpsTest, RefusesAThousandAddresses) {
  json result;
  for (int i = 0; i < 1000; ++i) {
    result["ips"].push_back({{"address", absl::StrCat("10.1.", i / 250, ".", i % 250 + 1, "/16")}});
  }
  EXPECT_THAT(Ips(result.dump()), StatusIs(kInternal, HasSubstr("1000")));
}

}  // namespace
}  // namespace crisp::netns

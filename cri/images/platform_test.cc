#include "cri/images/platform.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(PlatformTest, KnowsOtherSpellings) {
  EXPECT_EQ(Normalise({"Linux", "x86_64", ""}).ToString(), "linux/amd64");
  EXPECT_EQ(Normalise({"linux", "aarch64", "v8"}).ToString(), "linux/arm64");
  EXPECT_EQ(Normalise({"linux", "arm", ""}).ToString(), "linux/arm/v7");
  EXPECT_EQ(Normalise({"linux", "arm", "6"}).ToString(), "linux/arm/v6");
  EXPECT_EQ(Normalise({"linux", "i686", ""}).ToString(), "linux/386");
  EXPECT_EQ(Normalise({"linux", "amd64", "v3"}).ToString(), "linux/amd64/v3");
}

TEST(PlatformTest, HostIsNormalised) {
  const Platform host = HostPlatform();
  EXPECT_EQ(host.os, "linux");
  EXPECT_EQ(Normalise(host).ToString(), host.ToString());
}

TEST(PlatformTest, RanksWhatRunsHere) {
  const Platform amd64{"linux", "amd64", ""}, amd64v3{"linux", "amd64", "v3"},
      arm64{"linux", "arm64", ""}, arm7{"linux", "arm", "v7"};
  EXPECT_EQ(RankPlatform(amd64, {"linux", "x86_64", ""}), 0);
  EXPECT_FALSE(RankPlatform(amd64, {"windows", "amd64", ""}).has_value());
  EXPECT_FALSE(RankPlatform(amd64, {"unknown", "unknown", ""}).has_value());
  EXPECT_FALSE(RankPlatform(amd64, arm64).has_value());
  EXPECT_FALSE(RankPlatform(amd64, amd64v3).has_value()) << "too new a processor";
  EXPECT_EQ(RankPlatform(amd64v3, amd64v3), 0);
  EXPECT_LT(*RankPlatform(amd64v3, {"linux", "amd64", "v2"}), *RankPlatform(amd64v3, amd64));
  EXPECT_LT(*RankPlatform(amd64, amd64), *RankPlatform(amd64, {"linux", "386", ""}));
  EXPECT_LT(*RankPlatform(arm64, {"linux", "arm64", "v8"}), *RankPlatform(arm64, arm7));
  EXPECT_LT(*RankPlatform(arm64, arm7), *RankPlatform(arm64, {"linux", "arm", "v6"}));
  EXPECT_FALSE(RankPlatform(arm7, {"linux", "arm", "v8"}).has_value());
  EXPECT_TRUE(RankPlatform(arm7, {"linux", "arm", "v6"}).has_value());
  EXPECT_FALSE(RankPlatform(arm64, {"linux", "arm64", "nonsense"}).has_value());
}

}  // namespace
}  // namespace crisp::cri

#include "netns/cni/network_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "netns/cni/bounded_json.h"

namespace crisp::netns {
namespace {

using testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(NetworkConfigTest, ReadsAList) {
  ASSERT_OK_AND_ASSIGN(const NetworkConfig config, ParseNetworkFile("10-x.conflist", R"({
      "name": "pods", "cniVersion": "1.0.0", "disableCheck": "true",
      "plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "portmap"}]})"));
  EXPECT_EQ(config.name, "pods");
  EXPECT_EQ(config.version.ToString(), "1.0.0");
  EXPECT_TRUE(config.disable_check);
  EXPECT_FALSE(config.disable_gc);
  EXPECT_EQ(config.plugins.size(), 2u);
  EXPECT_FALSE(config.IsLoopbackOnly());
  // What goes to the cache reads back as the same.
  ASSERT_OK_AND_ASSIGN(const NetworkConfig again, ParseNetworkList(config.bytes));
  EXPECT_EQ(again.plugins, config.plugins);
}

TEST(NetworkConfigTest, WrapsASinglePlugin) {
  ASSERT_OK_AND_ASSIGN(
      const NetworkConfig config,
      ParseNetworkFile("10-x.conf",
                       R"({"name": "lo", "cniVersion": "0.3.1", "type": "loopback"})"));
  EXPECT_EQ(config.plugins.size(), 1u);
  EXPECT_EQ(config.version.ToString(), "0.3.1");
  EXPECT_TRUE(config.IsLoopbackOnly());
}

TEST(NetworkConfigTest, VersionDefaultsToTheOldestAndTheHighestOfferedWins) {
  ASSERT_OK_AND_ASSIGN(const NetworkConfig oldest,
                       ParseNetworkList(R"({"name": "n", "plugins": [{"type": "p"}]})"));
  EXPECT_EQ(oldest.version.ToString(), "0.1.0");
  ASSERT_OK_AND_ASSIGN(const NetworkConfig highest, ParseNetworkList(R"({
      "name": "n", "cniVersion": "0.4.0", "cniVersions": ["1.0.0", "9.0.0", "1.1.0"],
      "plugins": [{"type": "p"}]})"));
  EXPECT_EQ(highest.version.ToString(), "1.1.0");
}

TEST(NetworkConfigTest, NamesTheFieldThatIsWrong) {
  const auto list = [](const std::string& rest) {
    return ParseNetworkList(absl::StrCat(R"({"name": "n", "cniVersion": "1.0.0", )", rest, "}"));
  };
  EXPECT_THAT(list(R"("plugins": [])"), StatusIs(kInvalid, HasSubstr("plugins")));
  EXPECT_THAT(list(R"("plugins": {})"), StatusIs(kInvalid, HasSubstr("plugins")));
  EXPECT_THAT(list(R"("plugins": [7])"), StatusIs(kInvalid, HasSubstr("plugins[0]")));
  EXPECT_THAT(list(R"("plugins": [{"type": "p"}, {"type": ""}])"),
              StatusIs(kInvalid, HasSubstr("plugins[1]")));
  EXPECT_THAT(list(R"("plugins": [{"type": "p"}], "disableGC": 1)"),
              StatusIs(kInvalid, HasSubstr("disableGC")));
  EXPECT_THAT(ParseNetworkList(R"({"name": "a/b", "plugins": [{"type": "p"}]})"),
              StatusIs(kInvalid, HasSubstr("name")));
  EXPECT_THAT(ParseNetworkList(R"({"name": "n", "cniVersion": "one", "plugins": []})"),
              StatusIs(kInvalid, HasSubstr("cniVersion")));
  EXPECT_THAT(
      ParseNetworkList(R"({"name": "n", "cniVersion": "2.0.0", "plugins": [{"type": "p"}]})"),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("2.0.0")));
  EXPECT_THAT(ParseSinglePlugin(R"({"name": "n", "plugins": []})"),
              StatusIs(kInvalid, HasSubstr(".conflist")));
}

// A type is looked up in directories of executables that run as root.
TEST(NetworkConfigTest, PluginTypesCannotBePaths) {
  for (const char* type : {"../../sbin/reboot", "a/b", "..", ".", "/bin/sh", "-x", "a b"}) {
    EXPECT_THAT(ValidatePluginType(type), StatusIs(kInvalid)) << type;
    EXPECT_THAT(
        ParseNetworkList(absl::StrCat(
            R"({"name": "n", "plugins": [{"type": "p", "ipam": {"type": ")", type, R"("}}]})")),
        StatusIs(kInvalid, HasSubstr("ipam")))
        << type;
  }
  EXPECT_OK(ValidatePluginType("host-local"));
}

TEST(BoundedJsonTest, RefusesWhatWouldExhaustTheStack) {
  const std::string deep = R"({"a": )" + std::string(200000, '[') + std::string(200000, ']') + "}";
  EXPECT_THAT(ParseJsonObject(deep), StatusIs(kInvalid, HasSubstr("deep")));
  EXPECT_THAT(ParseJsonObject(std::string(200000, '[')), StatusIs(kInvalid));
  // Brackets inside strings nest nothing.
  EXPECT_OK(ParseJsonObject(R"({"a": "\")" + std::string(1000, '[') + "\"}").status());
}

TEST(BoundedJsonTest, RefusesWhatIsNotOneObjectOfUtf8) {
  for (const char* text : {"", "[]", "{", "{} {}", "null", "\"\\ud800\"", "{\"a\": \"\xff\"}"}) {
    EXPECT_THAT(ParseJsonObject(text), StatusIs(kInvalid)) << text;
  }
}

}  // namespace
}  // namespace crisp::netns

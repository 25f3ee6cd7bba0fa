#include "cri/images/image_config.h"

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kDiff = absl::StrCat("sha256:", std::string(64, 'd'));

std::string Config(const std::string& inner) {
  return absl::StrCat(R"({"os":"linux","architecture":"amd64","config":)", inner,
                      R"(,"rootfs":{"type":"layers","diff_ids":[")", kDiff, R"("]}})");
}

TEST(ImageConfigTest, ReadsWhatARuntimeNeeds) {
  ASSERT_OK_AND_ASSIGN(
      const ImageConfig config,
      ParseImageConfig(Config(R"({"Env":["A=1"],"Entrypoint":["/e"],"Cmd":["c"],"WorkingDir":"/w",
        "User":"1000:50","StopSignal":"SIGINT","Volumes":{"/v":{}},"ExposedPorts":{"80/tcp":{}},
        "Labels":{"l":"x"},"Unknown":[1]})"),
                       "sha256:id"));
  EXPECT_EQ(config.id, "sha256:id");
  EXPECT_THAT(config.env, ElementsAre("A=1"));
  EXPECT_THAT(config.entrypoint, ElementsAre("/e"));
  EXPECT_THAT(config.cmd, ElementsAre("c"));
  EXPECT_EQ(config.working_dir, "/w");
  EXPECT_EQ(config.user, "1000:50");
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_THAT(config.volumes, ElementsAre("/v"));
  EXPECT_THAT(config.exposed_ports, ElementsAre("80/tcp"));
  EXPECT_EQ(config.labels.at("l"), "x");
  EXPECT_THAT(config.diff_ids, ElementsAre(kDiff));
}

TEST(ImageConfigTest, NullAndAbsentAreEmpty) {
  EXPECT_OK(ParseImageConfig(Config("null"), "x"));
  EXPECT_OK(ParseImageConfig(Config(R"({"Env":null,"Volumes":null,"Labels":null})"), "x"));
}

TEST(ImageConfigTest, RefusesOtherTypes) {
  for (const char* inner :
       {R"({"Env":"A=1"})", R"({"Env":[1]})", R"({"User":7})", R"({"Volumes":["/v"]})",
        R"({"Labels":{"a":1}})", R"({"Cmd":"sh"})", R"([])", R"({"Env":["A=\u0000"]})"}) {
    EXPECT_THAT(ParseImageConfig(Config(inner), "x"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("field")))
        << inner;
  }
  EXPECT_THAT(ParseImageConfig("{}", "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rootfs")));
  EXPECT_THAT(ParseImageConfig(R"({"rootfs":{"type":"layers","diff_ids":["../x"]}})", "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("diff_ids")));
}

// ImageStatus shows all of a config, and writing it out takes a stack as deep as it is.
TEST(ImageConfigTest, RefusesWhatNestsTooDeep) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_THAT(ParseImageConfig(Config(absl::StrCat(R"({"Unknown":)", deep, "}")), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("deep")));
}

TEST(ImageConfigTest, UsersAreNumbersOrNames) {
  EXPECT_FALSE(UserOf("").uid.has_value());
  EXPECT_EQ(UserOf("1002").uid, 1002);
  EXPECT_EQ(UserOf("1003:22").uid, 1003);
  EXPECT_EQ(UserOf("0").uid, 0);
  EXPECT_EQ(UserOf("2147483647").uid, 2147483647);
  EXPECT_EQ(UserOf("www-data:www").username, "www-data");
  for (const char* hostile : {"2147483648", "4294967296", "-1", "+0", "0x0", " 0"}) {
    EXPECT_FALSE(UserOf(hostile).uid.has_value()) << hostile;
    EXPECT_EQ(UserOf(hostile).username, hostile);
  }
}

}  // namespace
}  // namespace crisp::cri

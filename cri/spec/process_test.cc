#include "cri/spec/process.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::ContainerConfig;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ImageConfigView Image() {
  ImageConfigView image;
  image.entrypoint = {"/entry"};
  image.cmd = {"run", "it"};
  return image;
}

TEST(BuildArgs, EntrypointAndCmdRules) {
  ContainerConfig config;
  EXPECT_THAT(*BuildArgs(config, Image()), ElementsAre("/entry", "run", "it"));
  config.add_args("other");
  EXPECT_THAT(*BuildArgs(config, Image()), ElementsAre("/entry", "other"));
  config.add_command("sh");
  EXPECT_THAT(*BuildArgs(config, Image()), ElementsAre("sh", "other"));
  config.clear_args();
  EXPECT_THAT(*BuildArgs(config, Image()), ElementsAre("sh"));
  EXPECT_THAT(BuildArgs({}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.command")));
}

TEST(BuildEnv, LaterOnesReplaceEarlierInPlace) {
  ContainerConfig config;
  config.set_tty(true);
  config.add_envs()->set_key("B");
  config.mutable_envs(0)->set_value("cri=1");
  config.add_envs()->set_key("HOSTNAME");
  config.mutable_envs(1)->set_value("mine");
  ImageConfigView image;
  image.env = {"PATH=/bin", "B=image", "C="};
  ResolvedUser user;
  user.home = "/root";
  EXPECT_THAT(
      *BuildEnv(config, image, "web", user),
      ElementsAre("PATH=/bin", "HOSTNAME=mine", "TERM=xterm", "B=cri=1", "C=", "HOME=/root"));
  image.env = {"HOME=/srv"};
  EXPECT_THAT(*BuildEnv({}, image, "", user),
              ElementsAre(HasSubstr("PATH=/usr/local/sbin:"), "HOME=/srv"));
}

TEST(BuildEnv, RefusesWhatJsonCannotCarry) {
  ContainerConfig config;
  config.add_envs()->set_key("BIN");
  config.mutable_envs(0)->set_value("\xfe\xff");
  EXPECT_THAT(BuildEnv(config, {}, "", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("config.envs[0].value")));
  for (const char* bad : {"NOVALUE", "=x", "A=\xff"}) {
    ImageConfigView image;
    image.env = {bad};
    EXPECT_THAT(BuildEnv({}, image, "", {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image env")));
  }
}

TEST(BuildProcess, CarriesTheSecurityContext) {
  ContainerConfig config;
  config.add_command("sh");
  config.mutable_linux()->mutable_security_context()->set_no_new_privs(true);
  config.mutable_linux()->mutable_resources()->set_oom_score_adj(-500);
  ImageConfigView image;
  image.working_dir = "srv/app";
  ResolvedUser user;
  user.uid = 7;
  user.additional_gids = {0, 9};
  HostFacts host;  // Cannot go below its own zero.
  ASSERT_OK_AND_ASSIGN(const auto process, BuildProcess({config, image, user, {}, host, ""}));
  EXPECT_EQ(process["cwd"], "/srv/app");
  EXPECT_EQ(process["noNewPrivileges"], true);
  EXPECT_EQ(process["oomScoreAdj"], 0);
  EXPECT_EQ(process["user"],
            nlohmann::json::parse(R"({"uid": 7, "gid": 0, "additionalGids": [0, 9]})"));
  EXPECT_FALSE(process.contains("rlimits"));
}

}  // namespace
}  // namespace crisp::cri

#include "cri/config/config.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(ConfigTest, TheDefaultFileIsTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const Config parsed, ParseConfig(DefaultConfigToml(), "default"));
  const Config built_in;
  EXPECT_EQ(parsed.root, built_in.root);
  EXPECT_EQ(parsed.listen, built_in.listen);
  EXPECT_EQ(parsed.network.bin_dirs, built_in.network.bin_dirs);
  EXPECT_EQ(parsed.network.plugin_timeout, built_in.network.plugin_timeout);
  EXPECT_EQ(parsed.registry.no_progress_timeout, built_in.registry.no_progress_timeout);
  EXPECT_EQ(parsed.default_runtime, "crisp");
  EXPECT_EQ(parsed.runtimes.size(), 2u);
  EXPECT_EQ(parsed.runtimes.at("crisp").driver, "native");
  EXPECT_EQ(parsed.runtimes.at("runc").type, "io.containerd.runc.v2");
  EXPECT_OK(CheckConfig(parsed));
}

TEST(ConfigTest, AbsentFileIsTheDefaultsUnlessAskedFor) {
  EXPECT_OK(LoadConfig("/nonexistent/config.toml", /*must_exist=*/false));
  EXPECT_THAT(LoadConfig("/nonexistent/config.toml", /*must_exist=*/true),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/config.toml")));
}

struct BadFile {
  const char* text;
  const char* message;
};

TEST(ConfigTest, EveryMistakeNamesItsKey) {
  for (const BadFile& bad : {
           BadFile{"roots = \"/x\"", "roots: unknown key"},
           BadFile{"root = 3", "root: want a string"},
           BadFile{"[network]\nbuiltin = \"yes\"", "network.builtin: want true or false"},
           BadFile{"[network]\nbin_dirs = \"/x\"", "network.bin_dirs: want a list of strings"},
           BadFile{"[network]\nplugin_timeout = \"soon\"",
                   "network.plugin_timeout: want a duration"},
           BadFile{"[registry]\nparallel_layers = 0",
                   "registry.parallel_layers: want a whole number"},
           BadFile{"[log]\nformat = \"xml\"", "log.format"},
           BadFile{"[runtimes.kata]\ntypo = \"x\"", "runtimes.kata.typo: unknown key"},
           BadFile{"root = ", "file.toml:1"},
       }) {
    EXPECT_THAT(ParseConfig(bad.text, "file.toml"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.message)))
        << bad.text;
  }
}

TEST(ConfigTest, CheckJudgesTheWhole) {
  Config relative;
  relative.root = "var/lib";
  EXPECT_THAT(CheckConfig(relative),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("root")));
  Config same;
  same.state = same.root;
  EXPECT_FALSE(CheckConfig(same).ok());
  Config tcp;
  tcp.listen = "tcp://0.0.0.0:1";
  EXPECT_THAT(CheckConfig(tcp), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("listen")));
  Config long_path;
  long_path.listen = "unix:///" + std::string(200, 'a');
  EXPECT_THAT(CheckConfig(long_path),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("107")));
  Config two_native;
  two_native.runtimes["second"] = {.driver = "native", .type = ""};
  EXPECT_THAT(CheckConfig(two_native),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("runtimes.second")));
  Config typed;
  typed.runtimes["crisp"].type = "io.containerd.runc.v2";
  EXPECT_THAT(CheckConfig(typed),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("neither type nor binary")));
  Config unknown;
  unknown.runtimes["x"].driver = "docker";
  EXPECT_THAT(CheckConfig(unknown),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("runtimes.x.driver")));
  Config no_default;
  no_default.default_runtime = "kata";
  EXPECT_THAT(CheckConfig(no_default),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("default_runtime")));
}

}  // namespace
}  // namespace crisp::cri

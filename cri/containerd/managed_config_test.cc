#include "cri/containerd/managed_config.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "toml++/toml.h"

namespace crisp::cri {
namespace {

ManagedConfig Example() {
  return ManagedConfig{.root_dir = "/var/lib/crisp/containerd",
                       .state_dir = "/run/crisp/containerd/run",
                       .grpc_socket = "/run/crisp/containerd/containerd.sock",
                       .ttrpc_socket = "/run/crisp/containerd/containerd.ttrpc.sock"};
}

TEST(ManagedConfig, IsTomlThatSaysWhatWasAsked) {
  ASSERT_OK_AND_ASSIGN(const std::string text, RenderManagedConfig(Example()));
  const toml::table config = toml::parse(text);
  EXPECT_EQ(config["version"].value_or(0), 2);
  EXPECT_EQ(config["root"].value_or(std::string()), "/var/lib/crisp/containerd");
  EXPECT_EQ(config["state"].value_or(std::string()), "/run/crisp/containerd/run");
  EXPECT_EQ(config["grpc"]["address"].value_or(std::string()),
            "/run/crisp/containerd/containerd.sock");
  EXPECT_EQ(config["grpc"]["max_recv_message_size"].value_or(0), 16 << 20);
  EXPECT_EQ(config["ttrpc"]["address"].value_or(std::string()),
            "/run/crisp/containerd/containerd.ttrpc.sock");
  EXPECT_EQ(config["debug"]["level"].value_or(std::string()), "warn");
  EXPECT_FALSE(config.contains("oom_score"));
}

TEST(ManagedConfig, DisablesTheCriPluginOfEveryVersion) {
  ASSERT_OK_AND_ASSIGN(const std::string text, RenderManagedConfig(Example()));
  const toml::table config = toml::parse(text);
  const toml::array* list = config["disabled_plugins"].as_array();
  ASSERT_NE(list, nullptr);
  std::set<std::string> disabled;
  for (const auto& entry : *list) disabled.insert(entry.value_or(std::string()));
  for (const char* plugin : {"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images",
                             "io.containerd.cri.v1.runtime", "io.containerd.snapshotter.v1.zfs"}) {
    EXPECT_EQ(disabled.count(plugin), 1u) << plugin;
  }
  EXPECT_EQ(disabled.count("io.containerd.snapshotter.v1.overlayfs"), 0u);
  EXPECT_EQ(disabled.count("io.containerd.snapshotter.v1.native"), 0u);
}

TEST(ManagedConfig, QuotesPaths) {
  ManagedConfig odd = Example();
  odd.root_dir = "/srv/a \"b\" \\c";
  ASSERT_OK_AND_ASSIGN(const std::string text, RenderManagedConfig(odd));
  EXPECT_EQ(toml::parse(text)["root"].value_or(std::string()), odd.root_dir);
}

TEST(ManagedConfig, RefusesPathsThatCannotWork) {
  ManagedConfig relative = Example();
  relative.state_dir = "run";
  EXPECT_THAT(RenderManagedConfig(relative), StatusIs(absl::StatusCode::kInvalidArgument));
  ManagedConfig newline = Example();
  newline.root_dir = "/a\nversion = 3";
  EXPECT_THAT(RenderManagedConfig(newline), StatusIs(absl::StatusCode::kInvalidArgument));
  ManagedConfig longest = Example();
  longest.grpc_socket = absl::StrCat("/", std::string(106, 'x'));
  EXPECT_OK(RenderManagedConfig(longest).status());
  longest.grpc_socket += "x";
  EXPECT_THAT(RenderManagedConfig(longest), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace crisp::cri

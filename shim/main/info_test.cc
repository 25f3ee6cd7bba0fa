#include "shim/main/info.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "seccomp/filter.h"
#include "shim/launch/mount_options.h"
#include "shim/launch/spec_reader.h"

namespace crisp::shim {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using Json = nlohmann::json;
using Names = std::vector<std::string>;

Json Features() { return Json::parse(Info().features().value()); }

Json SpecWith(Json linux_section, Json hooks) {
  return {{"ociVersion", "1.0.2"},
          {"root", {{"path", "/r"}}},
          {"process", {{"args", {"sh"}}, {"cwd", "/"}}},
          {"hooks", std::move(hooks)},
          {"linux", std::move(linux_section)}};
}

// containerd looks for these by name.
TEST(Info, WhatContainerdAsksFor) {
  const Json features = Features();
  EXPECT_EQ(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
  EXPECT_THAT(features["mountOptions"].get<Names>(),
              IsSupersetOf({"rro", "ro", "idmap", "ridmap", "rbind", "rslave", "sync"}));
  EXPECT_THAT(features["linux"]["seccomp"]["actions"].get<Names>(), Contains("SCMP_ACT_ERRNO"));
}

TEST(Info, EveryMountOptionMeansSomething) {
  for (const std::string& option : Features()["mountOptions"].get<Names>()) {
    EXPECT_OK(ParseMountOptions({option}, false)) << option;
  }
}

TEST(Info, EveryNamespaceAndHookIsRead) {
  const Json features = Features();
  Json namespaces = Json::array(), hooks = Json::object();
  for (const std::string& name : features["linux"]["namespaces"].get<Names>()) {
    namespaces.push_back({{"type", name}});
  }
  for (const std::string& name : features["hooks"].get<Names>()) {
    hooks[name] = {{{"path", "/bin/true"}}};
  }
  const Json ids = {{{"containerID", 0}, {"hostID", 1000}, {"size", 1}}};
  ASSERT_OK_AND_ASSIGN(
      const Spec spec,
      ParseSpec(
          SpecWith({{"namespaces", namespaces}, {"uidMappings", ids}, {"gidMappings", ids}}, hooks)
              .dump()));
  EXPECT_EQ(spec.namespaces.size(), 8u);
  for (const auto* list :
       {&spec.hooks.prestart, &spec.hooks.create_runtime, &spec.hooks.create_container,
        &spec.hooks.start_container, &spec.hooks.poststart, &spec.hooks.poststop}) {
    EXPECT_EQ(list->size(), 1u);
  }
}

TEST(Info, EverySeccompActionAndOperatorCompiles) {
  const Json seccomp = Features()["linux"]["seccomp"];
  for (const std::string& action : seccomp["actions"].get<Names>()) {
    for (const std::string& op : seccomp["operators"].get<Names>()) {
      const Json profile = {
          {"defaultAction", "SCMP_ACT_LOG"},
          {"syscalls",
           {{{"names", {"personality"}},
             {"action", action},
             {"args", {{{"index", 0}, {"value", 1}, {"valueTwo", 1}, {"op", op}}}}}}}};
      EXPECT_OK(CompileSeccomp(profile)) << action << " " << op;
    }
  }
}

}  // namespace
}  // namespace crisp::shim

#include "agent/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

EnvVar Literal(const std::string& name, const std::string& value) {
  EnvVar var;
  var.name = name;
  var.value = value;
  return var;
}

EnvVar FromKey(ObjectKind kind, const std::string& object, const std::string& key, bool optional) {
  EnvVar var;
  var.path = "spec.containers[0].env[0]";
  var.name = "V";
  var.key = KeySelector{kind, object, key, optional};
  return var;
}

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() {
    pod_.name = "web";
    pod_.ns = "prod";
    pod_.labels = {{"app", "shop"}};
    sources_.Add(ObjectKind::kConfigMap, "cfg", {{"a", "1"}, {"b", "$(a)"}});
    sources_.Add(ObjectKind::kSecret, "sec", {{"a", "two"}, {"nul", std::string("x\0y", 3)}});
  }
  absl::StatusOr<Environment> Resolve() { return sources_.Resolve(pod_, container_, facts_); }

  Pod pod_;
  Container container_;
  EnvironmentSources sources_;
  PodFacts facts_ = {"uid-1", "node-a", "192.0.2.1", "10.85.0.7", {"10.85.0.7", "fd00::7"}};
};

TEST_F(EnvironmentTest, ExpansionTable) {
  const Environment env = {{"A", "1"}, {"B", "two words"}, {"E", ""}};
  const struct {
    const char* text;
    const char* expanded;
  } cases[] = {
      {"$(A)", "1"},    {"x$(A)y$(B)z", "x1ytwo wordsz"},
      {"$(C)", "$(C)"}, {"$$(A)", "$(A)"},
      {"$$$(A)", "$1"}, {"$$", "$"},
      {"$", "$"},       {"$A", "$A"},
      {"$(A", "$(A"},   {"$()", "$()"},
      {"$(E)", ""},     {"$($(A)", "$($(A)"},
      {"a$", "a$"},     {"$(A)$(A)", "11"},
      {"", ""},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(ExpandVariables(test.text, env), test.expanded) << test.text;
  }
}

TEST_F(EnvironmentTest, LaterOverridesEarlierAndEnvOverridesEnvFrom) {
  container_.env_from = {{"", ObjectKind::kConfigMap, "cfg", "", false},
                         {"", ObjectKind::kSecret, "cfg2", "", true},
                         {"", ObjectKind::kConfigMap, "cfg", "P_", false}};
  container_.env = {Literal("a", "mine"), Literal("c", "$(a)-$(P_a)-$(later)"),
                    Literal("later", "x")};
  ASSERT_OK_AND_ASSIGN(const Environment env, Resolve());
  // Values of objects are not expanded.
  EXPECT_THAT(
      env, ElementsAre(Pair("a", "mine"), Pair("b", "$(a)"), Pair("P_a", "1"), Pair("P_b", "$(a)"),
                       Pair("c", "mine-1-$(later)"), Pair("later", "x")));
}

TEST_F(EnvironmentTest, FieldReferences) {
  for (const auto& [path, value] :
       std::vector<std::pair<std::string, std::string>>{{"metadata.name", "web"},
                                                        {"metadata.namespace", "prod"},
                                                        {"metadata.uid", "uid-1"},
                                                        {"metadata.labels['app']", "shop"},
                                                        {"metadata.annotations['none']", ""},
                                                        {"spec.nodeName", "node-a"},
                                                        {"status.hostIP", "192.0.2.1"},
                                                        {"status.podIP", "10.85.0.7"},
                                                        {"status.podIPs", "10.85.0.7,fd00::7"}}) {
    EnvVar var = Literal("V", "");
    var.field_path = path;
    container_.env = {var};
    EXPECT_THAT(Resolve(), IsOkAndHolds(ElementsAre(Pair("V", value)))) << path;
  }
}

TEST_F(EnvironmentTest, MissingIsAnErrorThatNamesObjectAndKeyUnlessOptional) {
  container_.env = {FromKey(ObjectKind::kConfigMap, "cfg", "zz", false)};
  EXPECT_THAT(Resolve(), StatusIs(absl::StatusCode::kNotFound,
                                  HasSubstr("spec.containers[0].env[0] (V): ConfigMap prod/cfg has "
                                            "no key \"zz\"")));
  container_.env = {FromKey(ObjectKind::kSecret, "gone", "k", false)};
  EXPECT_THAT(Resolve(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("Secret prod/gone does not exist")));
  container_.env = {FromKey(ObjectKind::kConfigMap, "cfg", "zz", true),
                    FromKey(ObjectKind::kSecret, "gone", "k", true)};
  EXPECT_THAT(Resolve(), IsOkAndHolds(ElementsAre()));
  container_.env_from = {
      {"spec.containers[0].envFrom[0]", ObjectKind::kConfigMap, "gone", "", false}};
  EXPECT_THAT(Resolve(), StatusIs(absl::StatusCode::kNotFound,
                                  HasSubstr("envFrom[0]: ConfigMap prod/gone does not exist")));
}

TEST_F(EnvironmentTest, LegacyNamesAreLeftOutAndTold) {
  sources_.Add(ObjectKind::kConfigMap, "odd", {{"a.b", "1"}, {"1st", "2"}, {"OK_1", "3"}});
  container_.env_from = {{"", ObjectKind::kConfigMap, "odd", "", false}};
  ASSERT_OK_AND_ASSIGN(const Environment all, Resolve());
  EXPECT_EQ(all.size(), 3u);
  std::vector<SkippedKeys> skipped;
  ASSERT_OK_AND_ASSIGN(const Environment env,
                       sources_.Resolve(pod_, container_, facts_, EnvNames::kLegacy, &skipped));
  EXPECT_THAT(env, ElementsAre(Pair("OK_1", "3")));
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_EQ(skipped[0].name, "odd");
  EXPECT_THAT(skipped[0].keys, ElementsAre("1st", "a.b"));
}

TEST_F(EnvironmentTest, ResourceReferences) {
  container_.resources.cpu_limit_milli = 1500;
  container_.resources.memory_limit_bytes = 100 << 20;
  container_.resources.cpu_request_milli = 250;
  Container other;
  other.name = "other";
  pod_.containers = {other};
  facts_.node_cpu_milli = 4000;
  facts_.node_memory_bytes = 8 << 20;
  const struct {
    const char *container, *resource;
    int64_t divisor_milli;
    const char* value;
  } cases[] = {
      {"", "limits.cpu", 1000, "2"},
      {"", "limits.cpu", 1, "1500"},
      {"", "requests.cpu", 1, "250"},
      {"", "limits.memory", 1000, "104857600"},
      {"", "limits.memory", (int64_t{1} << 20) * 1000, "100"},
      {"", "requests.memory", (int64_t{1} << 20) * 1000, "100"},
      {"other", "limits.cpu", 1, "4000"},
      {"other", "limits.memory", 1000, "8388608"},
      {"other", "requests.memory", 1000, "0"},
  };
  for (const auto& test : cases) {
    EnvVar var = Literal("V", "");
    var.resource = ResourceSelector{test.container, test.resource, test.divisor_milli};
    container_.env = {var};
    EXPECT_THAT(Resolve(), IsOkAndHolds(ElementsAre(Pair("V", test.value)))) << test.resource;
  }
  container_.env[0].resource->container = "nobody";
  EXPECT_THAT(Resolve(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no container nobody")));
}

TEST_F(EnvironmentTest, NulBytesAreRefusedWithoutShowingTheValue) {
  container_.env = {FromKey(ObjectKind::kSecret, "sec", "nul", false)};
  EXPECT_THAT(Resolve(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the value of V holds")));
}

}  // namespace
}  // namespace crisp::agent

#include "volumes/volume_mount.h"

#include <string>

#include "base/status_matchers.h"

namespace crisp::volumes {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(VolumeMountTest, Parses) {
  ASSERT_OK_AND_ASSIGN(auto mounts, ParseVolumeMounts(R"([
    {"name": "a", "mountPath": "/etc//x/", "subPath": "d/f", "readOnly": true,
     "recursiveReadOnly": "IfPossible"},
    {"name": "b", "mountPath": "/b", "subPathExpr": "$(POD)/x", "mountPropagation": "Bidirectional"}
  ])"));
  ASSERT_THAT(mounts, SizeIs(2));
  EXPECT_EQ(mounts[0].mount_path, "/etc/x");
  EXPECT_EQ(mounts[0].sub_path, "d/f");
  EXPECT_TRUE(mounts[0].read_only);
  EXPECT_TRUE(mounts[0].recursive_read_only);
  EXPECT_EQ(mounts[0].propagation, "private");
  EXPECT_EQ(mounts[1].propagation, "rshared");
  EXPECT_FALSE(mounts[1].recursive_read_only);
}

TEST(VolumeMountTest, EveryRefusalNamesTheField) {
  const struct {
    const char* json;
    const char* message;
  } kCases[] = {
      {R"([{"mountPath": "/a"}])", "volumeMounts[0].name: is required"},
      {R"([{"name": "a"}])", "volumeMounts[0].mountPath: is required"},
      {R"([{"name": "a", "mountPath": "a"}])", ".mountPath: must be absolute"},
      {R"([{"name": "a", "mountPath": "/a:b"}])", ".mountPath: must not contain ':'"},
      {R"([{"name": "a", "mountPath": "/a/../b"}])", ".mountPath: contains '..'"},
      {R"([{"name": "a", "mountPath": "/"}])", ".mountPath: must not be the root"},
      {R"([{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/a/"}])",
       "volumeMounts[1].mountPath: '/a' is used twice"},
      {R"([{"name": "a", "mountPath": "/a", "subPath": "x", "subPathExpr": "y"}])",
       "exclude each other"},
      {R"([{"name": "a", "mountPath": "/a", "subPath": "/x"}])", ".subPath: must not be absolute"},
      {R"([{"name": "a", "mountPath": "/a", "subPath": "x/../y"}])", ".subPath: contains '..'"},
      {R"([{"name": "a", "mountPath": "/a", "mountPropagation": "Both"}])", ".mountPropagation: "},
      {R"([{"name": "a", "mountPath": "/a", "recursiveReadOnly": "Enabled"}])",
       ".recursiveReadOnly: needs readOnly"},
      {R"([{"name": "a", "mountPath": "/a", "readOnly": "yes"}])", ".readOnly: must be"},
      {R"([{"name": "a", "mountPath": "/a", "mountpath": "/b"}])",
       "volumeMounts[0].mountpath: unknown field"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(ParseVolumeMounts(test.json), StatusIs(kInvalid, HasSubstr(test.message)))
        << test.json;
  }
}

TEST(SubPathExprTest, ExpandsAsKubernetesDoes) {
  const std::map<std::string, std::string> env = {{"A", "x"}, {"B", "y/z"}, {"EMPTY", ""}};
  const struct {
    const char* expr;
    const char* want;
  } kCases[] = {
      {"plain", "plain"}, {"$(A)", "x"},    {"$(A)/$(B)", "x/y/z"},
      {"$$(A)", "$(A)"},  {"$$$(A)", "$x"}, {"$A", "$A"},
      {"cost$", "cost$"}, {"$(A", "$(A"},   {"a$()b$(A)", ""},
  };
  for (const auto& test : kCases) {
    const auto got = ExpandSubPathExpr(test.expr, env);
    if (std::string(test.want).empty()) {
      EXPECT_THAT(got, StatusIs(kInvalid, HasSubstr("missing value for ''"))) << test.expr;
    } else {
      EXPECT_THAT(got, IsOkAndHolds(std::string(test.want))) << test.expr;
    }
  }
  EXPECT_THAT(ExpandSubPathExpr("$(NONE)", env),
              StatusIs(kInvalid, HasSubstr("missing value for 'NONE'")));
  EXPECT_THAT(ExpandSubPathExpr("$(EMPTY)", env),
              StatusIs(kInvalid, HasSubstr("missing value for 'EMPTY'")));
}

TEST(SubPathExprTest, WhatAVariableBringsIsCheckedToo) {
  ASSERT_OK_AND_ASSIGN(std::string expanded, ExpandSubPathExpr("$(A)", {{"A", "../../etc"}}));
  EXPECT_THAT(CleanSubPath(expanded), StatusIs(kInvalid, Not(HasSubstr("etc"))));
}

}  // namespace
}  // namespace crisp::volumes

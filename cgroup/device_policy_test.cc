#include "cgroup/device_policy.h"

#include "base/status_matchers.h"

namespace crisp::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Device = DevicePolicy::Device;

DeviceRule Rule(bool allow, char type, std::optional<int64_t> major, std::optional<int64_t> minor,
                const char* access) {
  return {allow, type, major, minor, access};
}
const DeviceRule kDenyAll = Rule(false, 'a', {}, {}, "rwm");
const DeviceRule kAllowAll = Rule(true, 'a', {}, {}, "rwm");

TEST(DevicePolicyTest, RulesApplyInOrder) {
  ASSERT_OK_AND_ASSIGN(const DevicePolicy policy,
                       PolicyOf({Rule(true, 'c', 1, 3, "r"), kDenyAll, Rule(true, 'c', 1, 3, "wr"),
                                 Rule(true, 'c', 1, 3, "m"), Rule(true, 'b', {}, {}, "m"),
                                 Rule(true, 'c', 1, 5, "rwm"), Rule(false, 'c', 1, 5, "w")}));
  EXPECT_FALSE(policy.allow_others);
  EXPECT_THAT(policy.exceptions,
              UnorderedElementsAre(Pair(Device('c', 1, 3), "rwm"), Pair(Device('b', -1, -1), "m"),
                                   Pair(Device('c', 1, 5), "rm")));
}

TEST(DevicePolicyTest, AWiderRuleTakesTheNarrowerBack) {
  ASSERT_OK_AND_ASSIGN(const DevicePolicy policy,
                       PolicyOf({kDenyAll, Rule(true, 'c', 1, 3, "rw"), Rule(true, 'b', 1, 3, "rw"),
                                 Rule(false, 'c', 1, {}, "rwm")}));
  EXPECT_THAT(policy.exceptions, ElementsAre(Pair(Device('b', 1, 3), "rw")));
  EXPECT_THAT(PolicyOf({kDenyAll, Rule(true, 'c', {}, {}, "m"), Rule(false, 'c', 5, 1, "m")}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  // The wide rule does not speak of reading.
  EXPECT_OK(PolicyOf({kDenyAll, Rule(true, 'c', {}, {}, "m"), Rule(false, 'c', 5, 1, "r")}));
}

TEST(DevicePolicyTest, NoRulesAllowEverything) {
  EXPECT_THAT(PolicyOf({}), IsOkAndHolds(DevicePolicy{}));
  EXPECT_THAT(PolicyOf({kDenyAll, Rule(true, 'c', 1, 3, "r"), kAllowAll}),
              IsOkAndHolds(DevicePolicy{}));
}

TEST(DevicePolicyTest, ReadsTheKernelsList) {
  EXPECT_THAT(ParseDevicesList("a *:* rwm\n"), IsOkAndHolds(DevicePolicy{}));
  EXPECT_THAT(ParseDevicesList(""), IsOkAndHolds(DevicePolicy{.allow_others = false}));
  ASSERT_OK_AND_ASSIGN(const DevicePolicy policy, ParseDevicesList("c 1:3 rwm\nb *:* m\n"));
  EXPECT_THAT(policy.exceptions,
              UnorderedElementsAre(Pair(Device('c', 1, 3), "rwm"), Pair(Device('b', -1, -1), "m")));
  EXPECT_FALSE(ParseDevicesList("c 1-3 rwm").ok());
}

TEST(DevicePolicyTest, AnUpdateGrantsBeforeItTakes) {
  ASSERT_OK_AND_ASSIGN(const DevicePolicy now, PolicyOf({kDenyAll, Rule(true, 'c', 1, 3, "rw"),
                                                         Rule(true, 'c', 1, 5, "r")}));
  ASSERT_OK_AND_ASSIGN(const DevicePolicy target, PolicyOf({kDenyAll, Rule(true, 'c', 1, 3, "rm"),
                                                            Rule(true, 'c', 1, 9, "r")}));
  EXPECT_THAT(WritesBetween(now, target),
              ElementsAre(DeviceWrite{true, "c 1:3 m"}, DeviceWrite{true, "c 1:9 r"},
                          DeviceWrite{false, "c 1:3 w"}, DeviceWrite{false, "c 1:5 r"}));
  EXPECT_THAT(WritesBetween(target, target), IsEmpty());
  EXPECT_THAT(WritesBetween({}, target),
              ElementsAre(DeviceWrite{false, "a"}, DeviceWrite{true, "c 1:3 rm"},
                          DeviceWrite{true, "c 1:9 r"}));
  ASSERT_OK_AND_ASSIGN(const DevicePolicy most,
                       PolicyOf({kAllowAll, Rule(false, 'b', 8, {}, "w")}));
  EXPECT_THAT(WritesBetween(now, most),
              ElementsAre(DeviceWrite{true, "a"}, DeviceWrite{false, "b 8:* w"}));
}

TEST(WithDefaultDevices, OnlyWhereOthersAreDenied) {
  EXPECT_TRUE(WithDefaultDevices({}).empty());
  EXPECT_EQ(WithDefaultDevices({{.allow = true, .access = "rwm"}}).size(), 1u);
  const auto rules = WithDefaultDevices({{.allow = false, .access = "rwm"}});
  const auto policy = PolicyOf(rules);
  ASSERT_TRUE(policy.ok());
  EXPECT_FALSE(policy->allow_others);
  EXPECT_EQ(policy->exceptions.at({'c', 1, 3}), "rwm");
  EXPECT_EQ(policy->exceptions.at({'c', 136, DevicePolicy::kAll}), "rwm");
  EXPECT_EQ(policy->exceptions.at({'b', DevicePolicy::kAll, DevicePolicy::kAll}), "m");
  EXPECT_EQ(policy->exceptions.count({'c', 5, 1}), 0u) << "the host's console";
}

}  // namespace
}  // namespace crisp::cgroup

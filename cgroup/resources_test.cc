#include "cgroup/resources.h"

#include "base/status_matchers.h"

namespace crisp::cgroup {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Resources> Parse(const char* text) {
  return ParseResources(nlohmann::json::parse(text), "linux.resources");
}

TEST(ResourcesTest, ReadsEveryField) {
  ASSERT_OK_AND_ASSIGN(const Resources r, Parse(R"({
    "devices": [{"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"},
                {"allow": true, "type": "b", "major": -1}],
    "memory": {"limit": 1000, "reservation": 500, "swap": -1, "kernel": -1, "kernelTCP": 0,
               "swappiness": 0, "disableOOMKiller": false, "useHierarchy": true,
               "checkBeforeUpdate": true},
    "cpu": {"shares": 512, "quota": -1, "period": 100000, "burst": 0, "idle": 0,
            "realtimeRuntime": 5, "realtimePeriod": 6, "cpus": "0-1,3", "mems": "0"},
    "pids": {"limit": 12},
    "blockIO": {"weight": 500, "leafWeight": 0,
                "weightDevice": [{"major": 8, "minor": 0, "weight": 100}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1048576}]},
    "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
    "network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 4}]},
    "rdma": {"mlx5_1": {"hcaHandles": 3}},
    "unified": {"memory.high": "max"}})"));
  ASSERT_EQ(r.devices.size(), 3u);
  EXPECT_EQ(r.devices[0].type, 'a');
  EXPECT_EQ(r.devices[1].major, 1);
  EXPECT_EQ(r.devices[1].access, "rw");
  EXPECT_FALSE(r.devices[2].major.has_value());
  EXPECT_EQ(r.devices[2].access, "rwm");
  EXPECT_EQ(r.memory_limit, 1000);
  EXPECT_EQ(r.memory_swap, -1);
  EXPECT_EQ(r.memory_swappiness, 0u);
  EXPECT_EQ(r.check_before_update, true);
  EXPECT_EQ(r.cpu_quota, -1);
  EXPECT_EQ(r.cpu_burst, 0u);
  EXPECT_EQ(r.cpuset_cpus, "0-1,3");
  EXPECT_EQ(r.pids_limit, 12);
  EXPECT_EQ(r.blkio_weight, 500);
  EXPECT_EQ(r.read_bps.at(0).rate, 1048576u);
  EXPECT_EQ(r.hugepage_limits.at("2MB"), 0u);
  EXPECT_EQ(r.network_priorities.at("eth0"), 4u);
  EXPECT_EQ(r.rdma.at("mlx5_1").handles, 3u);
  EXPECT_EQ(r.unified.at("memory.high"), "max");
}

TEST(ResourcesTest, ZeroIsNotSaid) {
  ASSERT_OK_AND_ASSIGN(const Resources r,
                       Parse(R"({"memory": {"limit": 0, "swap": 0}, "pids": {"limit": 0},
                                 "cpu": {"shares": 0, "quota": 0, "period": 0}})"));
  EXPECT_FALSE(r.memory_limit || r.memory_swap || r.pids_limit || r.cpu_shares || r.cpu_quota ||
               r.cpu_period);
  EXPECT_OK(ParseResources(nlohmann::json(), "x"));
}

TEST(ResourcesTest, WhatIsWrongIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "linux.resources: "},
      {R"({"intelRdt": {}})", "linux.resources.intelRdt: "},
      {R"({"cpu": {"weight": 1}})", "linux.resources.cpu.weight: "},
      {R"({"cpu": 3})", "linux.resources.cpu: "},
      {R"({"cpu": {"shares": "x"}})", "linux.resources.cpu.shares: "},
      {R"({"cpu": {"shares": -1}})", "linux.resources.cpu.shares: "},
      {R"({"cpu": {"quota": -2}})", "linux.resources.cpu.quota: "},
      {R"({"cpu": {"cpus": "0\n1"}})", "linux.resources.cpu.cpus: "},
      {R"({"memory": {"limit": 1e30}})", "linux.resources.memory.limit: "},
      {R"({"memory": {"limit": 18446744073709551615}})", "linux.resources.memory.limit: "},
      {R"({"memory": {"kernel": 5}})", "linux.resources.memory.kernel: "},
      {R"({"memory": {"useHierarchy": false}})", "linux.resources.memory.useHierarchy: "},
      {R"({"devices": [{"type": "x"}]})", "linux.resources.devices[0].type: "},
      {R"({"devices": [{"access": "rx"}]})", "linux.resources.devices[0].access: "},
      {R"({"devices": [{"type": "a", "major": 1}]})", "linux.resources.devices[0]: "},
      {R"({"devices": [{"access": "r"}]})", "linux.resources.devices[0]: "},
      {R"({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]})",
       "linux.resources.hugepageLimits[0].pageSize: "},
      {R"({"blockIO": {"weight": 5}})", "linux.resources.blockIO.weight: "},
      {R"({"blockIO": {"throttleReadBpsDevice": [{"rate": 5}]}})",
       "linux.resources.blockIO.throttleReadBpsDevice[0]: "},
      {R"({"unified": {"cgroup.procs": "1"}})", "linux.resources.unified[\"cgroup.procs\"]: "},
      {R"({"unified": {"a/../b.c": "1"}})", "linux.resources.unified[\"a/../b.c\"]: "},
      {R"({"unified": {"memory.high": 1}})", "linux.resources.unified[\"memory.high\"]: "},
      {R"({"network": {"priorities": [{"priority": 1}]}})",
       "linux.resources.network.priorities[0].name: "},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(expected)))
        << text;
  }
}

}  // namespace
}  // namespace crisp::cgroup

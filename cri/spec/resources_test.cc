#include "cri/spec/resources.h"

#include <functional>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::LinuxContainerResources;
using ::testing::HasSubstr;

constexpr int64_t kMiB = 1 << 20;

HostFacts V1() {
  HostFacts host;
  host.cgroup_mode = CgroupMode::kHybrid;
  host.cgroup_controllers = {"cpu", "memory", "hugetlb"};
  host.hugepage_sizes = {"2MB"};
  host.swap_accounting = true;
  return host;
}
HostFacts V2() {
  HostFacts host = V1();
  host.cgroup_mode = CgroupMode::kV2;
  return host;
}

TEST(BuildResources, SaysOnlyWhatWasSaid) {
  EXPECT_THAT(BuildResources({}, V1()), IsOkAndHolds(nlohmann::json::object()));
  LinuxContainerResources r;
  r.set_cpu_shares(1);
  r.set_cpu_quota(-1);
  r.set_cpu_period(100000);
  r.set_cpuset_cpus("0-1,3");
  r.set_memory_limit_in_bytes(64 * kMiB);
  ASSERT_OK_AND_ASSIGN(auto json, BuildResources(r, V1()));
  EXPECT_EQ(json, nlohmann::json::parse(R"({
    "cpu": {"shares": 2, "quota": -1, "period": 100000, "cpus": "0-1,3"},
    "memory": {"limit": 67108864, "swap": 67108864}})"));
  HostFacts no_swap = V1();
  no_swap.swap_accounting = false;
  ASSERT_OK_AND_ASSIGN(json, BuildResources(r, no_swap));
  EXPECT_FALSE(json["memory"].contains("swap"));
}

TEST(BuildResources, HugepagesAndUnified) {
  LinuxContainerResources r;
  auto* limit = r.add_hugepage_limits();
  limit->set_page_size("1GB");  // Not here, and not wanted: zero.
  limit = r.add_hugepage_limits();
  limit->set_page_size("2MB");
  limit->set_limit(4 * kMiB);
  ASSERT_OK_AND_ASSIGN(auto json, BuildResources(r, V1()));
  EXPECT_EQ(json["hugepageLimits"],
            nlohmann::json::parse(R"([{"pageSize": "2MB", "limit": 4194304}])"));
  HostFacts none = V1();
  none.cgroup_controllers.erase("hugetlb");
  ASSERT_OK_AND_ASSIGN(json, BuildResources(r, none));
  EXPECT_FALSE(json.contains("hugepageLimits"));
  r.mutable_hugepage_limits(0)->set_limit(1);
  EXPECT_THAT(BuildResources(r, V1()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("hugepage_limits[0]")));

  r.Clear();
  (*r.mutable_unified())["memory.high"] = "1000000";
  ASSERT_OK_AND_ASSIGN(json, BuildResources(r, V2()));
  EXPECT_EQ(json["unified"]["memory.high"], "1000000");
  EXPECT_THAT(BuildResources(r, V1()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cgroup v2")));
}

TEST(ValidateResources, NamesTheField) {
  const auto refuses = [](const char* reason,
                          const std::function<void(LinuxContainerResources&)>& set) {
    LinuxContainerResources r;
    set(r);
    EXPECT_THAT(ValidateResources("config.linux.resources", r, V2()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(std::string("config.linux.resources.") + reason)))
        << r.ShortDebugString();
  };
  using R = LinuxContainerResources;
  refuses("cpu_shares", [](R& r) { r.set_cpu_shares(-1); });
  refuses("cpu_period", [](R& r) { r.set_cpu_period(999); });
  refuses("cpu_period", [](R& r) { r.set_cpu_period(1000001); });
  refuses("cpu_quota", [](R& r) { r.set_cpu_quota(999); });
  refuses("cpu_quota", [](R& r) { r.set_cpu_quota(-2); });
  for (const char* bad :
       {"a", "1-", "-1", "3-1", "1-2-3", "1,", ",", " 1", "1 ", "99999", "0-1:2"}) {
    refuses("cpuset_cpus", [&](R& r) { r.set_cpuset_cpus(bad); });
    refuses("cpuset_mems", [&](R& r) { r.set_cpuset_mems(bad); });
  }
  refuses("memory_limit_in_bytes", [](R& r) { r.set_memory_limit_in_bytes(kMiB); });
  refuses("memory_limit_in_bytes", [](R& r) { r.set_memory_limit_in_bytes(-2); });
  refuses("memory_swap_limit_in_bytes", [](R& r) { r.set_memory_swap_limit_in_bytes(kMiB); });
  refuses("memory_swap_limit_in_bytes", [](R& r) {
    r.set_memory_limit_in_bytes(64 * kMiB);
    r.set_memory_swap_limit_in_bytes(32 * kMiB);
  });
  refuses("oom_score_adj", [](R& r) { r.set_oom_score_adj(1001); });
  for (const char* bad : {"", "2", "MB", "02MB", "2mb", "2MiB", "2TB", "99999999MB"}) {
    refuses("hugepage_limits[0].page_size",
            [&](R& r) { r.add_hugepage_limits()->set_page_size(bad); });
  }
  for (const char* bad : {"memory", "../memory.high", "memory/high.x", ".high", "memory.",
                          "cgroup.procs", "io.max"}) {
    refuses("unified", [&](R& r) { (*r.mutable_unified())[bad] = "1"; });
  }
}

TEST(MergeResources, ZeroKeepsAndBadChangesNothing) {
  LinuxContainerResources current;
  current.set_cpu_shares(512);
  current.set_memory_limit_in_bytes(64 * kMiB);
  current.set_oom_score_adj(10);
  LinuxContainerResources update;
  update.set_cpu_quota(50000);
  update.set_memory_limit_in_bytes(128 * kMiB);
  ASSERT_OK_AND_ASSIGN(auto merged, MergeResources(current, update, V1()));
  EXPECT_EQ(merged.cpu_shares(), 512);
  EXPECT_EQ(merged.cpu_quota(), 50000);
  EXPECT_EQ(merged.memory_limit_in_bytes(), 128 * kMiB);
  EXPECT_EQ(merged.oom_score_adj(), 10);
  update.set_cpu_period(5);
  EXPECT_THAT(MergeResources(current, update, V1()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("linux.cpu_period")));
}

TEST(MergeResources, NoSwapStaysNoSwap) {
  LinuxContainerResources current;
  current.set_memory_limit_in_bytes(64 * kMiB);
  current.set_memory_swap_limit_in_bytes(64 * kMiB);
  LinuxContainerResources update;
  update.set_memory_limit_in_bytes(128 * kMiB);
  ASSERT_OK_AND_ASSIGN(auto merged, MergeResources(current, update, V1()));
  ASSERT_OK_AND_ASSIGN(const auto json, BuildResources(merged, V1()));
  EXPECT_EQ(json["memory"]["swap"], 128 * kMiB);
  current.set_memory_swap_limit_in_bytes(96 * kMiB);  // Swap was allowed; now it would be less.
  EXPECT_THAT(MergeResources(current, update, V1()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("swap")));
}

TEST(MergeResources, ListsMergeByKey) {
  LinuxContainerResources current, update;
  current.add_hugepage_limits()->set_page_size("2MB");
  (*current.mutable_unified())["memory.high"] = "1";
  (*current.mutable_unified())["memory.min"] = "1";
  update.add_hugepage_limits()->set_page_size("2MB");
  update.mutable_hugepage_limits(0)->set_limit(9);
  (*update.mutable_unified())["memory.high"] = "2";
  ASSERT_OK_AND_ASSIGN(const auto merged, MergeResources(current, update, V2()));
  ASSERT_EQ(merged.hugepage_limits_size(), 1);
  EXPECT_EQ(merged.hugepage_limits(0).limit(), 9u);
  EXPECT_EQ(merged.unified().at("memory.high"), "2");
  EXPECT_EQ(merged.unified().at("memory.min"), "1");
}

TEST(HeldResources, AreInTheKernelsBounds) {
  LinuxContainerResources resources;
  resources.set_cpu_shares(1);
  resources.set_memory_limit_in_bytes((64 << 20) + 1);
  resources.set_memory_swap_limit_in_bytes(-1);
  const LinuxContainerResources held = HeldResources(resources);
  EXPECT_EQ(held.cpu_shares(), 2);
  EXPECT_EQ(held.memory_limit_in_bytes(), 64 << 20);
  EXPECT_EQ(held.memory_swap_limit_in_bytes(), -1);
  EXPECT_EQ(HeldResources({}).cpu_shares(), 0);  // Not said stays not said.
}

TEST(ResourcesFromOci, RoundTrips) {
  LinuxContainerResources r;
  r.set_cpu_shares(512);
  r.set_cpu_quota(50000);
  r.set_cpu_period(100000);
  r.set_cpuset_cpus("0");
  r.set_cpuset_mems("0");
  r.set_memory_limit_in_bytes(64 * kMiB);
  r.set_memory_swap_limit_in_bytes(96 * kMiB);
  r.add_hugepage_limits()->set_page_size("2MB");
  (*r.mutable_unified())["memory.high"] = "5";
  ASSERT_OK_AND_ASSIGN(const auto json, BuildResources(r, V2()));
  EXPECT_EQ(ResourcesFromOci(json).SerializeAsString(), r.SerializeAsString());
  EXPECT_EQ(ResourcesFromOci(nlohmann::json()).ByteSizeLong(), 0u);
}

}  // namespace
}  // namespace crisp::cri

// cgroup v2's arithmetic and file formats against a directory that stands in for a tree:
// the hosts that build this often have their controllers in v1.
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "cgroup/cgroup.h"
#include "cgroup/conversions.h"
#include "cgroup/limits.h"

namespace crisp::cgroup {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class V2Test : public ::testing::Test {
 protected:
  V2Test() {
    hosts_.unified = ::testing::TempDir() + "/tree-" + RandomHex(8);
    const std::pair<const char*, const char*> parents[] = {
        {"cgroup.controllers", "cpuset cpu io memory hugetlb pids\n"},
        {"cgroup.subtree_control", "cpu\n"}};
    EXPECT_OK(MakeDirs(hosts_.unified + "/pod/c", 0755));
    for (const auto& [file, text] : parents) {
      Put("/" + std::string(file), text);
      Put("/pod/" + std::string(file), text);
    }
    for (const char* file :
         {"cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle", "cpuset.cpus", "cpuset.mems",
          "memory.max", "memory.swap.max", "memory.low", "memory.high", "io.max", "io.weight",
          "pids.max", "hugetlb.2MB.max", "cgroup.procs"}) {
      Put(absl::StrCat("/pod/c/", file), "");
    }
    Put("/pod/c/cgroup.controllers", "cpu memory hugetlb\n");
  }
  ~V2Test() override { EXPECT_OK(RemoveTree(hosts_.unified)); }

  void Put(const std::string& path, absl::string_view text) {
    EXPECT_OK(WriteFileAtomic(hosts_.unified + path, text, 0644));
  }
  std::string Get(const std::string& path) {
    return ReadFile(hosts_.unified + path).value_or("missing");
  }
  absl::StatusOr<Cgroup> Create(const Resources& resources) {
    return Cgroup::Create(hosts_, "/pod/c", resources);
  }

  Hierarchies hosts_;
};

TEST(ConversionsTest, SharesKeepTheirMinimumDefaultAndMaximum) {
  EXPECT_EQ(WeightOfShares(2), 1u);
  EXPECT_EQ(WeightOfShares(1024), 100u);
  EXPECT_EQ(WeightOfShares(262144), 10000u);
  EXPECT_EQ(WeightOfShares(0), 1u);
  EXPECT_EQ(WeightOfShares(1 << 30), 10000u);
  for (uint64_t shares = 2; shares < 262144; shares += 7) {
    ASSERT_LE(WeightOfShares(shares), WeightOfShares(shares + 7));
  }
  EXPECT_EQ(LinearWeightOfShares(2), 1u);
  EXPECT_EQ(LinearWeightOfShares(1024), 39u);
  EXPECT_EQ(LinearWeightOfShares(262144), 10000u);
  EXPECT_EQ(IoWeightOf(10), 1u);
  EXPECT_EQ(IoWeightOf(1000), 10000u);
}

TEST(ConversionsTest, SwapIsWhatIsLeftBesideMemory) {
  Resources r;
  EXPECT_THAT(SwapAlone(r), IsOkAndHolds(std::nullopt));
  r.memory_swap = 300;
  EXPECT_THAT(SwapAlone(r), StatusIs(absl::StatusCode::kInvalidArgument));
  r.memory_limit = 400;
  EXPECT_THAT(SwapAlone(r), StatusIs(absl::StatusCode::kInvalidArgument));
  r.memory_limit = 300;
  EXPECT_THAT(SwapAlone(r), IsOkAndHolds(0));
  r.memory_limit = 100;
  EXPECT_THAT(SwapAlone(r), IsOkAndHolds(200));
  r.memory_swap = -1;
  EXPECT_THAT(SwapAlone(r), IsOkAndHolds(-1));
}

TEST_F(V2Test, WritesEveryLimit) {
  Resources r;
  r.memory_limit = 100 << 20;
  r.memory_swap = 150 << 20;
  r.memory_reservation = 50 << 20;
  r.cpu_shares = 1024;
  r.cpu_quota = 20000;
  r.cpu_period = 50000;
  r.cpuset_cpus = "0-1";
  r.pids_limit = -1;
  r.blkio_weight = 1000;
  r.write_iops = {{8, 16, 0}};
  r.hugepage_limits = {{"2MB", 4096}, {"1GB", 0}};
  r.unified["memory.high"] = "90M";
  ASSERT_OK(Create(r).status());
  EXPECT_EQ(Get("/pod/c/memory.max"), absl::StrCat(100 << 20));
  EXPECT_EQ(Get("/pod/c/memory.swap.max"), absl::StrCat(50 << 20));
  EXPECT_EQ(Get("/pod/c/memory.low"), absl::StrCat(50 << 20));
  EXPECT_EQ(Get("/pod/c/memory.high"), "90M");
  EXPECT_EQ(Get("/pod/c/cpu.weight"), "100");
  EXPECT_EQ(Get("/pod/c/cpu.max"), "20000 50000");
  EXPECT_EQ(Get("/pod/c/cpuset.cpus"), "0-1");
  EXPECT_EQ(Get("/pod/c/pids.max"), "max");
  EXPECT_EQ(Get("/pod/c/io.weight"), "default 10000");
  EXPECT_EQ(Get("/pod/c/io.max"), "8:16 wiops=max");
  EXPECT_EQ(Get("/pod/c/hugetlb.2MB.max"), "4096");
}

TEST_F(V2Test, ParentsEnableWhatTheyHave) {
  ASSERT_OK(Create({}).status());
  EXPECT_EQ(Get("/cgroup.subtree_control"), "+cpuset +io +memory +hugetlb +pids");
  EXPECT_EQ(Get("/pod/cgroup.subtree_control"), "+cpuset +io +memory +hugetlb +pids");
}

TEST_F(V2Test, APeriodAloneKeepsTheQuota) {
  Put("/pod/c/cpu.max", "30000 100000\n");
  Resources r;
  r.cpu_period = 200000;
  ASSERT_OK(Create(r).status());
  EXPECT_EQ(Get("/pod/c/cpu.max"), "30000 200000");
}

TEST_F(V2Test, AFailurePutsBackWhatWasWritten) {
  Put("/pod/c/memory.max", "max\n");
  Put("/pod/c/cpu.weight", "79\n");
  ASSERT_EQ(::unlink((hosts_.unified + "/pod/c/pids.max").c_str()), 0);
  Resources r;
  r.memory_limit = 100 << 20;
  r.cpu_shares = 2;
  r.pids_limit = 3;
  EXPECT_THAT(Create(r), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("pids.limit")));
  EXPECT_EQ(Get("/pod/c/memory.max"), "max");
  EXPECT_EQ(Get("/pod/c/cpu.weight"), "79");
}

TEST_F(V2Test, SharesThatAnOlderRuntimeConvertedReadBack) {
  Put("/pod/c/cpu.weight", "39\n");
  Resources wanted;
  wanted.cpu_shares = 1024;
  ASSERT_OK_AND_ASSIGN(const Resources now, ReadLimits(hosts_, "/pod/c", wanted));
  EXPECT_EQ(now.cpu_shares, 1024u);
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Cgroup::Open(hosts_, "/pod/c"));
  ASSERT_OK(cgroup.Update(now));
  EXPECT_EQ(Get("/pod/c/cpu.weight"), "39");
  Put("/pod/c/cpu.weight", "0\n");  // It is idle.
  ASSERT_OK_AND_ASSIGN(const Resources idle, ReadLimits(hosts_, "/pod/c", wanted));
  EXPECT_FALSE(idle.cpu_shares.has_value());
}

TEST_F(V2Test, AWeightAloneIsPutBackToo) {
  Put("/pod/c/io.weight", "default 70\n8:16 20\n");
  ASSERT_EQ(::unlink((hosts_.unified + "/pod/c/pids.max").c_str()), 0);
  Resources r;
  r.unified["io.weight"] = "50";
  ASSERT_OK(Create(r).status());
  EXPECT_EQ(Get("/pod/c/io.weight"), "default 50");
  Put("/pod/c/io.weight", "default 70\n8:16 20\n");
  r.unified["pids.max"] = "3";
  EXPECT_FALSE(Create(r).ok());
  EXPECT_EQ(Get("/pod/c/io.weight"), "default 70");
}

TEST_F(V2Test, ALimitBelowWhatIsUsedIsRefusedIfAsked) {
  Put("/pod/c/memory.current", "1000000\n");
  Resources r;
  r.memory_limit = 500000;
  r.check_before_update = true;
  EXPECT_THAT(Create(r), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("1000000")));
  r.check_before_update = false;
  EXPECT_OK(Create(r).status());
}

TEST_F(V2Test, WhatVersionTwoDoesNotHaveIsRefused) {
  Resources r;
  r.memory_swappiness = 1;
  EXPECT_THAT(Create(r), StatusIs(absl::StatusCode::kFailedPrecondition));
  r = {};
  r.network_class_id = 1;
  EXPECT_THAT(Create(r), StatusIs(absl::StatusCode::kFailedPrecondition));
  r = {};
  r.cpu_realtime_runtime = 1;
  EXPECT_THAT(Create(r), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(V2Test, ReadsWhatWasUsed) {
  const std::pair<const char*, const char*> files[] = {
      {"cpu.stat",
       "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\n"
       "throttled_usec 7\n"},
      {"cpu.pressure",
       "some avg10=1.50 avg60=0.25 avg300=0.00 total=99\n"
       "full avg10=0.00 avg60=0.00 avg300=0.00 total=3\n"},
      {"memory.current", "5000\n"},
      {"memory.max", "max\n"},
      {"memory.peak", "6000\n"},
      {"memory.swap.current", "11\n"},
      {"memory.swap.max", "0\n"},
      {"memory.stat",
       "anon 1000\nfile 3000\nkernel 500\nshmem 4\nfile_mapped 5\nfile_dirty 6\n"
       "inactive_file 2000\nactive_file 900\npgfault 77\npgmajfault 8\n"},
      {"memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n"},
      {"pids.current", "9\n"},
      {"pids.max", "100\n"},
      {"io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n254:1 \n"},
      {"hugetlb.2MB.current", "4096\n"},
      {"hugetlb.2MB.max", "8192\n"},
      {"hugetlb.2MB.events", "max 12\n"},
      {"hugetlb.2MB.rsvd.max", "max\n"},
  };
  for (const auto& [file, text] : files) Put(absl::StrCat("/pod/c/", file), text);
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Cgroup::Open(hosts_, "/pod/c"));
  ASSERT_OK_AND_ASSIGN(const Stats stats, cgroup.ReadStats());
  EXPECT_TRUE(stats.v2);
  EXPECT_EQ(stats.cpu.usage_ns, 30000u);
  EXPECT_EQ(stats.cpu.user_ns, 20000u);
  EXPECT_EQ(stats.cpu.system_ns, 10000u);
  EXPECT_EQ(stats.cpu.periods, 5u);
  EXPECT_EQ(stats.cpu.throttled_periods, 2u);
  EXPECT_EQ(stats.cpu.throttled_ns, 7000u);
  ASSERT_TRUE(stats.cpu.pressure.has_value());
  EXPECT_EQ(stats.cpu.pressure->some.avg10, 1.5);
  EXPECT_EQ(stats.cpu.pressure->full.total_us, 3u);
  EXPECT_FALSE(stats.memory.pressure.has_value());
  EXPECT_EQ(stats.memory.usage, 5000u);
  EXPECT_EQ(stats.memory.working_set(), 3000u);
  EXPECT_EQ(stats.memory.limit, kUnlimited);
  EXPECT_EQ(stats.memory.max_usage, 6000u);
  EXPECT_EQ(stats.memory.swap_usage, 11u);
  EXPECT_EQ(stats.memory.swap_limit, 0u);
  EXPECT_EQ(stats.memory.rss, 1000u);
  EXPECT_EQ(stats.memory.cache, 3000u);
  EXPECT_EQ(stats.memory.kernel_usage, 500u);
  EXPECT_EQ(stats.memory.failcnt, 3u);
  EXPECT_EQ(stats.oom_kills, 5u);
  EXPECT_EQ(stats.oom_group_kills, 6u);
  EXPECT_EQ(stats.pids, 9u);
  EXPECT_EQ(stats.pids_limit, 100u);
  ASSERT_EQ(stats.io.size(), 2u);
  EXPECT_EQ(stats.io[0].write_bytes, 2u);
  EXPECT_EQ(stats.io[0].reads, 3u);
  ASSERT_EQ(stats.hugetlb.size(), 1u);
  EXPECT_EQ(stats.hugetlb[0].page_size, "2MB");
  EXPECT_EQ(stats.hugetlb[0].usage, 4096u);
  EXPECT_EQ(stats.hugetlb[0].failcnt, 12u);
  EXPECT_THAT(cgroup.OomKills(), IsOkAndHolds(5u));
}

TEST_F(V2Test, FreezesAndKillsThroughTheTreesFiles) {
  Put("/pod/c/cgroup.freeze", "0\n");
  Put("/pod/c/cgroup.kill", "");
  Put("/pod/c/cgroup.events", "populated 1\nfrozen 1\n");
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Cgroup::Open(hosts_, "/pod/c"));
  ASSERT_OK(cgroup.Freeze());
  EXPECT_EQ(Get("/pod/c/cgroup.freeze"), "1");
  EXPECT_THAT(cgroup.Frozen(), IsOkAndHolds(true));
  ASSERT_OK(cgroup.Kill(9));
  EXPECT_EQ(Get("/pod/c/cgroup.kill"), "1");
  Put("/pod/c/cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_THAT(cgroup.Freeze(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Get("/pod/c/cgroup.freeze"), "0");
}

TEST_F(V2Test, PidsOfSubCgroupsCount) {
  ASSERT_OK(MakeDirs(hosts_.unified + "/pod/c/nested/deep", 0755));
  Put("/pod/c/cgroup.procs", "12\n34\n");
  Put("/pod/c/nested/deep/cgroup.procs", "7\n0\n");
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup, Cgroup::Open(hosts_, "/pod/c"));
  EXPECT_THAT(cgroup.Pids(), IsOkAndHolds(ElementsAre(7, 12, 34)));
}

}  // namespace
}  // namespace crisp::cgroup

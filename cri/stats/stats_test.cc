#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/background.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "cri/stats/metrics.h"
#include "cri/stats/node_stats.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int64_t kSecond = 1'000'000'000;

TEST(CpuRatesTest, TwoSamplesMakeARate) {
  CpuRates rates;
  EXPECT_EQ(rates.Sample("a", 10 * kSecond, 5 * kSecond), std::nullopt);
  EXPECT_EQ(rates.Sample("a", 12 * kSecond, 6 * kSecond), kSecond / 2);
  // Too soon to tell anew.
  EXPECT_EQ(rates.Sample("a", 12 * kSecond + 1000, 6 * kSecond + 1000), kSecond / 2);
  EXPECT_EQ(rates.Sample("b", 13 * kSecond, 1), std::nullopt);
  EXPECT_EQ(rates.Sample("a", 13 * kSecond, 9 * kSecond), 3 * kSecond);
  // The counter of another cgroup.
  EXPECT_EQ(rates.Sample("a", 14 * kSecond, 0), std::nullopt);
  EXPECT_EQ(rates.Sample("a", 15 * kSecond, kSecond), kSecond);
  rates.Keep({"b"});
  EXPECT_EQ(rates.Sample("a", 16 * kSecond, 2 * kSecond), std::nullopt);
}

TEST(LayerUsagesTest, AnOldFigureIsGivenAndMeasuredAnew) {
  FakeClock clock;
  uint64_t bytes = 1;
  std::vector<std::string> measured;
  auto background = std::make_unique<Background>(1);
  LayerUsages usages(
      [&](const std::string&, const std::string& key) -> absl::StatusOr<LayerUsage> {
        measured.push_back(key);
        if (key == "gone") return absl::NotFoundError("gone");
        return LayerUsage{.bytes = bytes, .inodes = 2};
      },
      &clock, background.get());
  EXPECT_THAT(usages.Of("x", "gone"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(LayerUsage usage, usages.Of("c", "key"));
  EXPECT_EQ(usage.bytes, 1u);
  EXPECT_EQ(usage.at_ns, clock.NowNs());
  bytes = 7;
  EXPECT_OK(usages.Of("c", "key"));
  EXPECT_THAT(measured, SizeIs(2));
  clock.Advance(LayerUsages::kMaxAge + absl::Seconds(1));
  ASSERT_OK_AND_ASSIGN(usage, usages.Of("c", "key"));
  EXPECT_EQ(usage.bytes, 1u);
  background.reset();  // Runs what was posted.
  EXPECT_THAT(measured, SizeIs(3));
}

TEST(LayerUsagesTest, ATreeIsMeasuredWithoutLeavingIt) {
  const std::string base = ::testing::TempDir() + "/layer-" + RandomHex(8);
  ASSERT_OK(MakeDirs(base + "/a/b", 0755));
  ASSERT_OK_AND_ASSIGN(const LayerUsage empty, MeasureTree(base));
  EXPECT_EQ(empty.inodes, 3u);
  ASSERT_OK(WriteFileAtomic(base + "/a/b/file", std::string(100'000, 'x'), 0600));
  ASSERT_EQ(::link((base + "/a/b/file").c_str(), (base + "/again").c_str()), 0);
  ASSERT_EQ(::symlink("/usr", (base + "/link").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const LayerUsage full, MeasureTree(base));
  EXPECT_EQ(full.inodes, 5u);
  EXPECT_GE(full.bytes, empty.bytes + 100'000);
  EXPECT_LT(full.bytes, empty.bytes + 200'000);
  EXPECT_OK(RemoveTree(base));
  EXPECT_FALSE(MeasureTree(base).ok());
}

TEST(NetworkUsageTest, ReadsAllButTheLoopback) {
  const std::vector<InterfaceUsage> interfaces = ParseNetDev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
      "drop fifo colls carrier compressed\n"
      "    lo:     100       2    0    0    0     0          0         0      100       2    0    "
      "0    0     0       0          0\n"
      "  eth0:    2000      20    1    2    0     0          0         0     3000      30    3    "
      "4    0     0       0          0\n");
  ASSERT_THAT(interfaces, SizeIs(1));
  EXPECT_EQ(interfaces[0].name, "eth0");
  EXPECT_EQ(interfaces[0].rx_bytes, 2000u);
  EXPECT_EQ(interfaces[0].rx_packets, 20u);
  EXPECT_EQ(interfaces[0].rx_errors, 1u);
  EXPECT_EQ(interfaces[0].rx_dropped, 2u);
  EXPECT_EQ(interfaces[0].tx_bytes, 3000u);
  EXPECT_EQ(interfaces[0].tx_errors, 3u);
  EXPECT_EQ(interfaces[0].tx_dropped, 4u);
}

// One name that is no text would make kubelet refuse the figures of all pods.
TEST(NetworkUsageTest, NamesOfInterfacesAreText) {
  const std::vector<InterfaceUsage> interfaces =
      ParseNetDev("  \xff\xfe: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  ASSERT_THAT(interfaces, SizeIs(1));
  EXPECT_EQ(interfaces[0].name, "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(interfaces[0].rx_bytes, 1u);
}

TEST(NetworkUsageTest, AProcessInAnotherNamespaceIsNotAsked) {
  EXPECT_OK(ReadNetworkUsage(::getpid(), "/proc/self/ns/net"));
  EXPECT_THAT(ReadNetworkUsage(::getpid(), "/proc/self/ns/uts"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(ProcessUsageTest, CountsOwnDescriptors) {
  const ProcessUsage before = ReadProcessUsage({::getpid()});
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const ProcessUsage after = ReadProcessUsage({::getpid()});
  EXPECT_EQ(after.descriptors, before.descriptors + 1);
  EXPECT_EQ(after.sockets, before.sockets);
  EXPECT_TRUE(after.max_open_files.has_value());
  EXPECT_EQ(ReadProcessUsage({}).descriptors, 0u);
}

TEST(MetricsTest, EveryMetricHasADescriptorWithItsLabels) {
  std::map<std::string, int> labels;
  for (const auto& descriptor : MetricDescriptors()) {
    EXPECT_THAT(descriptor.help(), ::testing::Not(::testing::IsEmpty()));
    EXPECT_TRUE(labels.emplace(descriptor.name(), descriptor.label_keys_size()).second);
  }
  EXPECT_THAT(labels, SizeIs(56));

  ContainerFigures figures;
  figures.stats.cpu.pressure = figures.stats.memory.pressure = figures.stats.io_pressure =
      cgroup::Pressure();
  figures.stats.io = {{.major = 254, .minor = 0, .read_bytes = 5}};
  figures.stats.hugetlb = {{.page_size = "2MB"}};
  figures.processes.max_open_files = 1024;
  figures.layer.mountpoint = "/";
  MetricWriter writer({.id = "/c", .name = "id"}, 5 * kSecond);
  AddMetricsOfContainer(figures, &writer);
  AddMetricsOfPod(figures.stats, {{.name = "eth0"}}, &writer);
  std::set<std::string> seen;
  for (const auto& metric : writer.Take()) {
    ASSERT_EQ(labels.count(metric.name()), 1u) << metric.name();
    EXPECT_EQ(labels[metric.name()], metric.label_values_size()) << metric.name();
    EXPECT_EQ(metric.timestamp(), 5 * kSecond);
    EXPECT_TRUE(metric.has_value());
    seen.insert(metric.name());
  }
  EXPECT_THAT(seen, SizeIs(56));
}

// A pod and a container whose cgroups are those of a stand-in v2 tree.
class NodeStatsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = ::testing::TempDir() + "/stats-" + RandomHex(8);
    for (const char* directory : {"/tree/pod/pause", "/tree/pod/c", "/pod/containers"}) {
      ASSERT_OK(MakeDirs(base_ + directory, 0700));
    }
    Put("pod", 9000, 4096);
    Put("pod/c", 5000, 2048);
    state::v1::PodRecord pod;
    pod.set_id("p");
    pod.set_started(true);
    pod.set_cgroup_path("/pod/pause");
    pod.mutable_config()->mutable_metadata()->set_name("web");
    pod_ = std::make_shared<Pod>(base_ + "/pod", "boot", pod);
    ASSERT_OK(pods_.Add(pod_));
    state::v1::ContainerRecord container;
    container.set_id("c");
    container.set_created(true);
    container.set_started_at(1);
    container.set_cgroup_path("/pod/c");
    container.set_snapshot_key("c");
    container.mutable_config()->mutable_metadata()->set_name("main");
    container_ = std::make_shared<Container>(pod_, "boot", container);
    ASSERT_OK(containers_.Add(container_));
    NodeStats::Options options;
    options.hierarchies.unified = base_ + "/tree";
    options.pods = &pods_;
    options.containers = &containers_;
    options.clock = &clock_;
    options.measure_layer = [](const std::string&, const std::string&) {
      return LayerUsage{.bytes = 77, .inodes = 3, .mountpoint = "/"};
    };
    stats_ = std::make_unique<NodeStats>(std::move(options));
  }
  void TearDown() override { EXPECT_OK(RemoveTree(base_)); }

  void Put(const std::string& cgroup, uint64_t cpu_us, uint64_t memory) {
    const std::pair<const char*, std::string> files[] = {
        {"cpu.stat", absl::StrCat("usage_usec ", cpu_us, "\n")},
        {"cpu.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=4\n"},
        {"memory.current", absl::StrCat(memory, "\n")},
        {"memory.max", "10000\n"},
        {"memory.stat", "anon 100\ninactive_file 48\n"},
        {"pids.current", "2\n"}};
    for (const auto& [file, text] : files) {
      ASSERT_OK(WriteFileAtomic(absl::StrCat(base_, "/tree/", cgroup, "/", file), text, 0600));
    }
  }

  std::string base_;
  std::shared_ptr<Pod> pod_;
  std::shared_ptr<Container> container_;
  PodStore pods_;
  ContainerStore containers_;
  FakeClock clock_;
  std::unique_ptr<NodeStats> stats_;
};

TEST_F(NodeStatsTest, AContainersStats) {
  ASSERT_OK_AND_ASSIGN(runtime::v1::ContainerStats stats, stats_->OfContainer(*container_));
  EXPECT_EQ(stats.attributes().id(), "c");
  EXPECT_EQ(stats.attributes().metadata().name(), "main");
  EXPECT_EQ(stats.cpu().usage_core_nano_seconds().value(), 5'000'000u);
  EXPECT_FALSE(stats.cpu().has_usage_nano_cores());
  EXPECT_EQ(stats.cpu().psi().some().total(), 4000u);
  EXPECT_EQ(stats.memory().working_set_bytes().value(), 2000u);
  EXPECT_EQ(stats.memory().available_bytes().value(), 8000u);
  EXPECT_EQ(stats.memory().rss_bytes().value(), 100u);
  EXPECT_EQ(stats.writable_layer().used_bytes().value(), 77u);
  EXPECT_EQ(stats.writable_layer().fs_id().mountpoint(), "/");
  clock_.Advance(absl::Seconds(1));
  Put("pod/c", 505000, 2048);
  ASSERT_OK_AND_ASSIGN(stats, stats_->OfContainer(*container_));
  EXPECT_EQ(stats.cpu().usage_nano_cores().value(), 500'000'000u);
}

TEST_F(NodeStatsTest, AnEndedContainerHasItsLayerOnly) {
  container_->RecordExit(0, 2, false);
  ASSERT_OK_AND_ASSIGN(const runtime::v1::ContainerStats stats, stats_->OfContainer(*container_));
  EXPECT_TRUE(stats.has_writable_layer());
  EXPECT_FALSE(stats.has_cpu());
}

TEST_F(NodeStatsTest, APodsStatsAreThoseOfItsCgroup) {
  ASSERT_OK_AND_ASSIGN(const runtime::v1::PodSandboxStats stats, stats_->OfPod(*pod_));
  EXPECT_EQ(stats.linux().cpu().usage_core_nano_seconds().value(), 9'000'000u);
  EXPECT_EQ(stats.linux().memory().usage_bytes().value(), 4096u);
  EXPECT_EQ(stats.linux().process().process_count().value(), 2u);
  ASSERT_THAT(stats.linux().containers(), SizeIs(1));
  EXPECT_FALSE(stats.linux().has_network());
  ASSERT_OK_AND_ASSIGN(const runtime::v1::PodSandboxMetrics metrics, stats_->MetricsOf(*pod_));
  EXPECT_EQ(metrics.pod_sandbox_id(), "p");
  ASSERT_THAT(metrics.container_metrics(), SizeIs(1));
  EXPECT_EQ(metrics.container_metrics(0).container_id(), "c");
}

TEST_F(NodeStatsTest, APodInACgroupThatOthersAreInIsTheSumOfItsOwn) {
  state::v1::PodRecord record = pod_->facts().Get();
  record.mutable_config()->mutable_linux()->set_cgroup_parent("/pod");
  record.mutable_config()->mutable_metadata()->set_uid("1-2");
  const Pod shared(base_ + "/pod", "boot", record);
  Put("pod/pause", 1000, 100);
  ASSERT_OK_AND_ASSIGN(runtime::v1::PodSandboxStats stats, stats_->OfPod(shared));
  EXPECT_EQ(stats.linux().cpu().usage_core_nano_seconds().value(), 6'000'000u);
  EXPECT_EQ(stats.linux().memory().usage_bytes().value(), 2148u);
  EXPECT_FALSE(stats.linux().memory().has_available_bytes());
  EXPECT_FALSE(stats.linux().cpu().has_psi());
  EXPECT_EQ(stats.linux().process().process_count().value(), 4u);

  // kubelet's names tell that the cgroup is the pod's.
  for (const char* uid : {"pod", "p-o-d"}) {
    record.mutable_config()->mutable_metadata()->set_uid(uid);
    const Pod own(base_ + "/pod", "boot", record);
    ASSERT_OK_AND_ASSIGN(stats, stats_->OfPod(own));
    const uint64_t expected = uid == std::string("pod") ? 9'000'000 : 6'000'000;
    EXPECT_EQ(stats.linux().cpu().usage_core_nano_seconds().value(), expected) << uid;
  }
}

TEST_F(NodeStatsTest, WritableLayersAddUp) {
  const auto layers = stats_->WritableLayers("/first");
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].mountpoint, "/first");
  EXPECT_EQ(layers[0].bytes, 0u);
  EXPECT_EQ(layers[1].mountpoint, "/");
  EXPECT_EQ(layers[1].bytes, 77u);
  EXPECT_EQ(layers[1].inodes, 3u);
}

TEST_F(NodeStatsTest, APodThatIsGoneHasNone) {
  pod_->facts().UpdateMemoryOnly([](state::v1::PodRecord& facts) { facts.set_exited_at(1); });
  EXPECT_THAT(stats_->OfPod(*pod_), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(stats_->MetricsOf(*pod_), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace crisp::cri

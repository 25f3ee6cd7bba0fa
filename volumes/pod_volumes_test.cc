#include "volumes/pod_volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mountinfo.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "volumes/temp_dir.h"

namespace crisp::volumes {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
namespace fs = std::filesystem;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

constexpr char kWeb[] = R"([{"name": "conf", "configMap": {"name": "web"}}])";

class PodVolumesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = EnterPrivateMounts(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_OK_AND_ASSIGN(objects_, ObjectStore::Open(dir_.path() + "/objects", &clock_));
    Restart();
  }
  void TearDown() override {
    if (pods_ == nullptr) return;
    EXPECT_OK(pods_->Release("pod1"));
    EXPECT_OK(pods_->Release("pod2"));
    ExpectNothingLeft();
  }
  // A new instance, as after a crash: it knows nothing.
  void Restart(int64_t tmpfs_bytes = 4 << 20) {
    pods_ = std::make_unique<PodVolumes>(
        PodVolumes::Options{.pods_dir = dir_.path() + "/pods",
                            .disk_dir = dir_.path() + "/disk",
                            .objects = objects_.get(),
                            .clock = &clock_,
                            .tmpfs_bytes = tmpfs_bytes,
                            .open_root = [this](auto&) { return OpenRoot(); }});
  }
  // Stands in for the root of a pause process's mount namespace.
  std::string Root() const { return dir_.path() + "/root"; }
  absl::StatusOr<UniqueFd> OpenRoot() const {
    if (ended_) return absl::NotFoundError("the pause process is gone");
    return OpenDir(Root());
  }
  void MountInPod(const std::string& path) {
    fs::create_directories(Root() + path);
    ASSERT_EQ(::mount("tmpfs", (Root() + path).c_str(), "tmpfs", 0, "mode=0700"), 0);
  }
  void ExpectNothingLeft() {
    EXPECT_FALSE(fs::exists(dir_.path() + "/pods/pod1"));
    EXPECT_FALSE(fs::exists(dir_.path() + "/disk/pod1"));
    EXPECT_EQ(Mounts(), 0);
  }
  int Mounts() {
    int count = 0;
    const auto mounts = ReadMountInfo();
    for (const MountInfo& mount : *mounts) {
      if (mount.mount_point.compare(0, dir_.path().size(), dir_.path()) == 0) ++count;
    }
    return count;
  }
  static PodIdentity Pod(const std::string& id = "pod1") {
    PodIdentity pod;
    pod.sandbox_id = id;
    pod.name = "web-0";
    pod.ns = "default";
    pod.uid = "u-1";
    pod.labels = {{"app", "web"}};
    return pod;
  }
  UpdateReport Apply(const std::string& name, const std::map<std::string, std::string>& data) {
    v1::ConfigMap object;
    object.mutable_key()->set_name(name);
    for (const auto& [key, value] : data) (*object.mutable_data())[key] = value;
    EXPECT_OK(objects_->ApplyConfigMap(object));
    return pods_->ObjectChanged(ObjectKind::kConfigMap, "default", name);
  }
  absl::StatusOr<std::vector<VolumeMount>> Resolve(
      const std::string& json, const std::string& container = "c1",
      const std::map<std::string, std::string>& env = {},
      const ContainerResourceValues& resources = {}) {
    return pods_->Resolve("pod1", container, "main", json, env, resources);
  }
  std::string Volume(const std::string& name) { return dir_.path() + "/pods/pod1/volumes/" + name; }
  static struct stat Stat(const std::string& path) {
    struct stat st = {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
    return st;
  }

  TempDir dir_;
  FakeClock clock_;
  std::unique_ptr<ObjectStore> objects_;
  std::unique_ptr<PodVolumes> pods_;
  bool ended_ = false;  // The pod of OpenRoot.
};

TEST_F(PodVolumesTest, AConfigMapBecomesAReadOnlyMount) {
  Apply("web", {{"server.xml", "<Server/>\n"}, {"other", "x"}});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  EXPECT_EQ(Mounts(), 1);
  ASSERT_OK_AND_ASSIGN(
      auto mounts, Resolve(R"([{"name": "conf", "mountPath": "/etc/web", "readOnly": false}])"));
  ASSERT_THAT(mounts, SizeIs(1));
  EXPECT_EQ(mounts[0].host_path, Volume("conf"));
  EXPECT_EQ(mounts[0].container_path, "/etc/web");
  EXPECT_TRUE(mounts[0].read_only);
  EXPECT_FALSE(mounts[0].is_file);
  EXPECT_EQ(Slurp(Volume("conf") + "/server.xml"), "<Server/>\n");
  struct statfs fs;
  ASSERT_EQ(::statfs(Volume("conf").c_str(), &fs), 0);
  EXPECT_EQ(fs.f_type, 0x01021994);  // TMPFS_MAGIC
  EXPECT_TRUE((fs.f_flags & MS_NOSUID) != 0 && (fs.f_flags & MS_NODEV) != 0);
}

TEST_F(PodVolumesTest, OtherVolumesForAPodThatHasSomeAreRefused) {
  Apply("web", {});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  EXPECT_THAT(pods_->Prepare(Pod(), R"([{"name": "e", "emptyDir": {}}])"),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(PodVolumesTest, AFailureLeavesNothing) {
  Apply("web", {{"a", "1"}});
  const struct {
    const char* json;
    absl::StatusCode code;
    const char* message;
  } kCases[] = {
      {R"([{"name": "conf", "configMap": {"name": "none"}}])", kPrecondition,
       "volume 'conf': configMap default/none does not exist"},
      {R"([{"name": "conf", "secret": {"secretName": "none"}}])", kPrecondition,
       "secret default/none does not exist"},
      {R"([{"name": "e", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "web",
          "items": [{"key": "b", "path": "b"}]}}])",
       kPrecondition, "configMap default/web: there is no key 'b'"},
      {R"([{"name": "h", "hostPath": {"path": "/nonexistent/x", "type": "File"}}])", kPrecondition,
       "hostPath /nonexistent/x does not exist"},
      {R"([{"name": "e", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}},
          {"name": "h", "hostPath": {"path": "/nonexistent/x/y", "type": "FileOrCreate"}}])",
       absl::StatusCode::kNotFound, "volume 'h'"},
      {R"([{"name": "p", "projected": {"sources": [{"configMap": {"name": "web"}},
          {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}
          ]}}])",
       kInvalid, "'a' is used twice"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(pods_->Prepare(Pod(), test.json), StatusIs(test.code, HasSubstr(test.message)));
    ExpectNothingLeft();
  }
  EXPECT_THAT(pods_->Prepare(Pod("../x"), kWeb), StatusIs(kInvalid, HasSubstr("sandbox id")));
  // The name can be used again at once.
  EXPECT_OK(pods_->Prepare(Pod(), kWeb));
}

TEST_F(PodVolumesTest, ATooSmallTmpfsLeavesNothing) {
  Restart(64 << 10);
  Apply("web", {{"a", std::string(1 << 20, 'x')}});
  const absl::Status status = pods_->Prepare(Pod(), kWeb);
  EXPECT_THAT(status, Not(IsOk()));
  EXPECT_EQ(ErrnoOf(status), ENOSPC);
  ExpectNothingLeft();
}

TEST_F(PodVolumesTest, EmptyDirs) {
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "disk", "emptyDir": {"sizeLimit": "1Gi"}},
      {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}])"));
  ASSERT_OK_AND_ASSIGN(auto mounts, Resolve(R"([{"name": "disk", "mountPath": "/d"},
      {"name": "mem", "mountPath": "/m", "readOnly": true, "recursiveReadOnly": "Enabled"}])"));
  EXPECT_EQ(mounts[0].host_path, dir_.path() + "/disk/pod1/empty-dirs/disk");
  EXPECT_FALSE(mounts[0].read_only);
  EXPECT_EQ(Stat(mounts[0].host_path).st_mode & 07777, 0777u);
  EXPECT_TRUE(mounts[1].read_only);
  EXPECT_TRUE(mounts[1].recursive_read_only);
  EXPECT_EQ(Stat(mounts[1].host_path).st_mode & 07777, 0777u);
  struct statfs fs;
  ASSERT_EQ(::statfs(mounts[1].host_path.c_str(), &fs), 0);
  EXPECT_EQ(static_cast<int64_t>(fs.f_blocks) * fs.f_bsize, 1 << 20);
  Spill(mounts[0].host_path + "/x", "kept until release");
}

TEST_F(PodVolumesTest, FsGroupOwnsTheVolumes) {
  Apply("web", {{"a", "1"}});
  PodIdentity pod = Pod();
  pod.fs_group = 4321;
  ASSERT_OK(
      pods_->Prepare(pod, R"([{"name": "conf", "configMap": {"name": "web", "defaultMode": 256}},
               {"name": "disk", "emptyDir": {}}, {"name": "mem", "emptyDir": {"medium": "Memory"}}])"));
  EXPECT_EQ(Stat(Volume("conf") + "/a").st_mode & 07777, 0440u);
  for (const std::string& path :
       {Volume("conf"), Volume("mem"), dir_.path() + "/disk/pod1/empty-dirs/disk"}) {
    EXPECT_EQ(Stat(path).st_mode & 07777, 02777u) << path;
    EXPECT_EQ(Stat(path).st_gid, 4321u) << path;
  }
}

TEST_F(PodVolumesTest, HostPathsAreBoundAsTheyAre) {
  Spill(dir_.path() + "/file", "x");
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "f", "hostPath": {"type": "File", "path": ")" +
                                      dir_.path() +
                                      R"(/file"}}, {"name": "d", "hostPath": {"path": ")" +
                                      dir_.path() + R"(/made"}}])"));
  ASSERT_OK_AND_ASSIGN(auto mounts, Resolve(R"([{"name": "f", "mountPath": "/f"},
      {"name": "d", "mountPath": "/d", "mountPropagation": "HostToContainer"},
      {"name": "d", "mountPath": "/s", "subPath": "a/b"}])"));
  EXPECT_TRUE(mounts[0].is_file);
  EXPECT_EQ(mounts[1].host_path, dir_.path() + "/made");
  EXPECT_EQ(mounts[1].propagation, "rslave");
  EXPECT_TRUE(fs::is_directory(dir_.path() + "/made/a/b"));
  EXPECT_THAT(Resolve(R"([{"name": "f", "mountPath": "/f", "subPath": "x"}])", "c2"),
              StatusIs(kPrecondition, AllOf(HasSubstr("volumeMounts[0].subPath: volume 'f'"),
                                            Not(HasSubstr(dir_.path())))));
}

TEST_F(PodVolumesTest, AnUpdateReachesWholeVolumesAndNotSubPaths) {
  Apply("web", {{"server.xml", "old"}});
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "web"}},
      {"name": "items", "configMap": {"name": "web",
          "items": [{"key": "server.xml", "path": "d/s.xml"}]}}])"));
  const std::string kMounts = R"([{"name": "conf", "mountPath": "/tmp/server.xml",
      "subPath": "server.xml"}, {"name": "items", "mountPath": "/i", "subPath": "d"}])";
  ASSERT_OK_AND_ASSIGN(auto mounts, Resolve(kMounts));
  EXPECT_TRUE(mounts[0].is_file);
  EXPECT_EQ(mounts[0].host_path, dir_.path() + "/pods/pod1/volume-subpaths/conf/c1/0");
  EXPECT_EQ(Slurp(mounts[0].host_path), "old");
  EXPECT_EQ(Slurp(mounts[1].host_path + "/s.xml"), "old");

  EXPECT_EQ(Apply("web", {{"server.xml", "new"}, {"added", "1"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Volume("conf") + "/server.xml"), "new");
  EXPECT_EQ(Slurp(Volume("conf") + "/added"), "1");
  EXPECT_EQ(Slurp(mounts[0].host_path), "old");

  // kubernetes/kubernetes#68211: the version it is bound from is out of date by now,
  // yet it can be bound further, and a new container gets the new content.
  const std::string target = dir_.path() + "/target";
  Spill(target, "");
  ASSERT_EQ(::mount(mounts[0].host_path.c_str(), target.c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(Slurp(target), "old");
  ASSERT_EQ(::umount2(target.c_str(), MNT_DETACH), 0);
  ASSERT_OK_AND_ASSIGN(auto restarted, Resolve(kMounts, "c2"));
  EXPECT_EQ(Slurp(restarted[0].host_path), "new");
  EXPECT_EQ(Slurp(restarted[1].host_path + "/s.xml"), "new");
  EXPECT_OK(pods_->ReleaseContainer("pod1", "c1"));
  EXPECT_OK(pods_->ReleaseContainer("pod1", "c1"));
  EXPECT_FALSE(fs::exists(mounts[0].host_path));
  EXPECT_EQ(Slurp(restarted[0].host_path), "new");
  // Versions that nobody is bound to any more go with the next write.
  const auto versions = [&] {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(Volume("conf"))) {
      if (entry.is_directory() && !entry.is_symlink()) ++count;
    }
    return count;
  };
  EXPECT_EQ(versions(), 2);
  Apply("web", {{"server.xml", "newer"}});
  EXPECT_EQ(versions(), 2);  // c2's and the current one.
  EXPECT_OK(pods_->ReleaseContainer("pod1", "c2"));
  Apply("web", {{"server.xml", "newest"}});
  EXPECT_EQ(versions(), 1);
}

TEST_F(PodVolumesTest, OnlyPodsThatUseTheObjectChange) {
  Apply("web", {{"a", "1"}});
  Apply("other", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod("pod1"), kWeb));
  ASSERT_OK(pods_->Prepare(Pod("pod2"), kWeb));
  EXPECT_EQ(Apply("other", {{"a", "2"}}).pods_changed, 0);
  EXPECT_EQ(Apply("web", {{"a", "2"}}).pods_changed, 2);
  EXPECT_EQ(Apply("web", {{"a", "2"}}).pods_changed, 0);
  EXPECT_EQ(pods_->ObjectChanged(ObjectKind::kSecret, "default", "web").pods_changed, 0);
  EXPECT_EQ(pods_->ObjectChanged(ObjectKind::kConfigMap, "elsewhere", "web").pods_changed, 0);
}

TEST_F(PodVolumesTest, AFailedUpdateKeepsTheOldContentAndIsTriedAgain) {
  Apply("web", {{"a", "old"}, {"b", "old"}});
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "web", "items": [
          {"key": "a", "path": "a"}, {"key": "b", "path": "b"}]}}])"));
  const UpdateReport report = Apply("web", {{"a", "new"}});
  EXPECT_EQ(report.pods_changed, 0);
  EXPECT_THAT(report.failures,
              ElementsAre(HasSubstr("configMap default/web: there is no key 'b'")));
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "old");
  EXPECT_EQ(Slurp(Volume("conf") + "/b"), "old");
  EXPECT_EQ(Apply("web", {{"a", "new"}, {"b", "new"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "new");
}

// kubernetes/kubernetes#113242: a write that failed tore down a live volume.
TEST_F(PodVolumesTest, AFullTmpfsKeepsTheOldContent) {
  Restart(256 << 10);
  Apply("web", {{"a", "old"}});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  const UpdateReport report = Apply("web", {{"a", std::string(512 << 10, 'x')}});
  EXPECT_THAT(report.failures, ElementsAre(AllOf(HasSubstr("ENOSPC"), Not(HasSubstr("xxx")))));
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "old");
  EXPECT_EQ(Apply("web", {{"a", "new"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "new");
}

TEST_F(PodVolumesTest, AnOptionalObjectFillsInLater) {
  ASSERT_OK(
      pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "late", "optional": true}},
                 {"name": "key", "configMap": {"name": "late", "optional": true,
                     "items": [{"key": "b", "path": "b"}]}}])"));
  EXPECT_TRUE(fs::is_directory(Volume("conf")));
  EXPECT_EQ(Apply("late", {{"a", "1"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "1");
  EXPECT_FALSE(fs::exists(Volume("key") + "/b"));
  Apply("late", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(Slurp(Volume("key") + "/b"), "2");
}

TEST_F(PodVolumesTest, ADeletedObjectsContentStays) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  ASSERT_OK(objects_->DeleteConfigMap("default", "web"));
  ASSERT_OK(pods_->UpdateIdentity(Pod()));
  Restart();
  ASSERT_OK(pods_->Recover({"pod1"}));
  ASSERT_OK(Resolve(R"([{"name": "conf", "mountPath": "/c"}])"));
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "1");
}

TEST_F(PodVolumesTest, DownwardFilesFollowThePod) {
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "info", "downwardAPI": {"items": [
      {"path": "ip", "fieldRef": {"fieldPath": "status.podIP"}},
      {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
      {"path": "mem", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory",
                                           "divisor": "1Mi"}}]}}])"));
  EXPECT_EQ(Slurp(Volume("info") + "/ip"), "");
  EXPECT_EQ(Slurp(Volume("info") + "/mem"), "");
  PodIdentity pod = Pod();
  pod.ips = {"10.85.0.7"};
  pod.labels["tier"] = "front";
  ASSERT_OK(pods_->UpdateIdentity(pod));
  EXPECT_EQ(Slurp(Volume("info") + "/ip"), "10.85.0.7");
  EXPECT_EQ(Slurp(Volume("info") + "/labels"), "app=\"web\"\ntier=\"front\"");
  ASSERT_OK_AND_ASSIGN(const bool changed, pods_->UpdateMetadata("pod1", {{"tier", "back"}}, {}));
  EXPECT_TRUE(changed);
  EXPECT_EQ(Slurp(Volume("info") + "/labels"), "tier=\"back\"");
  ASSERT_OK_AND_ASSIGN(const bool again, pods_->UpdateMetadata("pod1", {{"tier", "back"}}, {}));
  EXPECT_FALSE(again);
  EXPECT_THAT(pods_->UpdateMetadata("nobody", {}, {}), StatusIs(absl::StatusCode::kNotFound));
  ContainerResourceValues resources;
  resources.memory_limit_bytes = 64 << 20;
  ASSERT_OK(Resolve(R"([{"name": "info", "mountPath": "/i"}])", "c1", {}, resources));
  EXPECT_EQ(Slurp(Volume("info") + "/mem"), "64");
  Restart();
  ASSERT_OK(pods_->Recover({"pod1"}));
  EXPECT_EQ(Slurp(Volume("info") + "/mem"), "64");
  EXPECT_EQ(Slurp(Volume("info") + "/ip"), "10.85.0.7");
  EXPECT_EQ(Slurp(Volume("info") + "/labels"), "tier=\"back\"");
}

TEST_F(PodVolumesTest, ProjectedJoinsItsSources) {
  Apply("web", {{"a", "1"}});
  v1::Secret secret;
  secret.mutable_key()->set_name("tls");
  (*secret.mutable_data())["key"] = "s3cret";
  ASSERT_OK(objects_->ApplySecret(secret));
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "all", "projected": {"defaultMode": 288, "sources": [
      {"configMap": {"name": "web"}},
      {"secret": {"name": "tls", "items": [{"key": "key", "path": "tls/key", "mode": 256}]}},
      {"downwardAPI": {"items": [{"path": "pod", "fieldRef": {"fieldPath": "metadata.name"}}]}}
      ]}}])"));
  EXPECT_EQ(Slurp(Volume("all") + "/a"), "1");
  EXPECT_EQ(Slurp(Volume("all") + "/tls/key"), "s3cret");
  EXPECT_EQ(Slurp(Volume("all") + "/pod"), "web-0");
  EXPECT_EQ(Stat(Volume("all") + "/a").st_mode & 07777, 0440u);
  EXPECT_EQ(Stat(Volume("all") + "/tls/key").st_mode & 07777, 0400u);
  (*secret.mutable_data())["key"] = "rotated";
  ASSERT_OK(objects_->ApplySecret(secret));
  EXPECT_EQ(pods_->ObjectChanged(ObjectKind::kSecret, "", "tls").pods_changed, 1);
  EXPECT_EQ(Slurp(Volume("all") + "/tls/key"), "rotated");
}

TEST_F(PodVolumesTest, SubPathExprAndItsErrors) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "web"}},
      {"name": "data", "emptyDir": {}}])"));
  ASSERT_OK_AND_ASSIGN(
      auto mounts, Resolve(R"([{"name": "data", "mountPath": "/d", "subPathExpr": "$(POD)/x"}])",
                           "c1", {{"POD", "web-0"}}));
  EXPECT_TRUE(fs::is_directory(dir_.path() + "/disk/pod1/empty-dirs/data/web-0/x"));
  const struct {
    const char* json;
    absl::StatusCode code;
    const char* message;
  } kCases[] = {
      {R"J([{"name": "data", "mountPath": "/d", "subPathExpr": "$(NONE)"}])J", kInvalid,
       "volumeMounts[0].subPathExpr: missing value for 'NONE'"},
      {R"J([{"name": "data", "mountPath": "/d", "subPathExpr": "$(EVIL)"}])J", kInvalid,
       "volumeMounts[0].subPathExpr: contains '..'"},
      {R"([{"name": "conf", "mountPath": "/c", "subPath": "none"}])", kPrecondition,
       "volumeMounts[0].subPath: volume 'conf': there is no 'none' in it"},
      {R"([{"name": "zzz", "mountPath": "/c"}])", kInvalid,
       "volumeMounts[0].name: the pod has no volume 'zzz'"},
      {R"([{"name": "data", "mountPath": "/d", "subPath": "ok"},
          {"name": "conf", "mountPath": "/c", "subPath": "none"}])",
       kPrecondition, "volumeMounts[1].subPath"},
  };
  for (const auto& test : kCases) {
    EXPECT_THAT(Resolve(test.json, "c9", {{"EVIL", "../../etc"}}),
                StatusIs(test.code, AllOf(HasSubstr(test.message), Not(HasSubstr(dir_.path())))));
    EXPECT_FALSE(fs::exists(dir_.path() + "/pods/pod1/volume-subpaths/data/c9"));
  }
}

TEST_F(PodVolumesTest, MountPointsWithinAReadOnlyVolumeAreMade) {
  Apply("web", {{"a", "1"}, {"f", "2"}});
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "web"}},
      {"name": "data", "emptyDir": {}}])"));
  ASSERT_OK(Resolve(R"([
      {"name": "conf", "mountPath": "/etc/web"},
      {"name": "data", "mountPath": "/etc/web/cache/one"},
      {"name": "conf", "mountPath": "/etc/web/extra/file", "subPath": "a"},
      {"name": "conf", "mountPath": "/etc/web/f", "subPath": "a"}])"));
  EXPECT_TRUE(fs::is_directory(Volume("conf") + "/cache/one"));
  EXPECT_TRUE(fs::is_regular_file(Volume("conf") + "/extra/file"));
  EXPECT_EQ(Apply("web", {{"a", "2"}}).pods_changed, 1);
  EXPECT_TRUE(fs::is_directory(Volume("conf") + "/cache/one"));
  // A key that would need the mount point's name does not destroy it.
  EXPECT_THAT(Apply("web", {{"cache", "x"}}).failures, SizeIs(1));
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "2");
  EXPECT_THAT(Resolve(R"([{"name": "conf", "mountPath": "/e"},
                          {"name": "data", "mountPath": "/e/..data/x"}])",
                      "c2"),
              Not(IsOk()));
  EXPECT_THAT(
      Resolve(R"([{"name": "conf", "mountPath": "/e"},
                          {"name": "data", "mountPath": "/e/a"}])",
              "c2"),
      StatusIs(kPrecondition, HasSubstr("volumeMounts[1].mountPath: within volume 'conf'")));
}

TEST_F(PodVolumesTest, ReleaseWorksAfterARestartAndTwice) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "conf", "configMap": {"name": "web"}},
      {"name": "mem", "emptyDir": {"medium": "Memory"}}, {"name": "disk", "emptyDir": {}}])"));
  ASSERT_OK(Resolve(R"([{"name": "conf", "mountPath": "/c", "subPath": "a"},
                        {"name": "disk", "mountPath": "/d", "subPath": "x/y"}])"));
  Spill(dir_.path() + "/disk/pod1/empty-dirs/disk/x/y/data", "z");
  EXPECT_EQ(Mounts(), 4);
  Restart();
  EXPECT_OK(pods_->Release("pod1"));
  ExpectNothingLeft();
  EXPECT_OK(pods_->Release("pod1"));
}

TEST_F(PodVolumesTest, ReleaseTouchesNothingOfOthers) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  Spill(dir_.path() + "/pods/pod1/record.json", "not ours");
  EXPECT_OK(pods_->Release("pod1"));
  EXPECT_EQ(Slurp(dir_.path() + "/pods/pod1/record.json"), "not ours");
  fs::remove_all(dir_.path() + "/pods/pod1");
}

// A container's emptyDir may hold anything; deleting it must not leave the volume.
TEST_F(PodVolumesTest, ReleaseFollowsNoLinkOfTheContainers) {
  ASSERT_OK(pods_->Prepare(Pod(), R"([{"name": "disk", "emptyDir": {}}])"));
  Spill(dir_.path() + "/precious", "keep");
  fs::create_symlink(dir_.path(), dir_.path() + "/disk/pod1/empty-dirs/disk/link");
  EXPECT_OK(pods_->Release("pod1"));
  EXPECT_EQ(Slurp(dir_.path() + "/precious"), "keep");
}

TEST_F(PodVolumesTest, RecoverTakesOverTheLivingAndReleasesTheRest) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod("pod1"), kWeb));
  ASSERT_OK(pods_->Prepare(Pod("pod2"), kWeb));
  fs::create_directories(dir_.path() + "/disk/pod3/empty-dirs/x");  // From before a reboot.
  // A crash between the object's change and the pods' update.
  v1::ConfigMap object;
  object.mutable_key()->set_name("web");
  (*object.mutable_data())["a"] = "2";
  ASSERT_OK(objects_->ApplyConfigMap(object));
  Restart();
  EXPECT_OK(pods_->Recover({"pod1", "without-volumes"}));
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), "2");
  EXPECT_FALSE(fs::exists(dir_.path() + "/pods/pod2"));
  EXPECT_FALSE(fs::exists(dir_.path() + "/disk/pod3"));
  EXPECT_EQ(Mounts(), 1);
  EXPECT_EQ(Apply("web", {{"a", "3"}}).pods_changed, 1);
  EXPECT_OK(pods_->Prepare(Pod(), kWeb));
}

TEST_F(PodVolumesTest, AProcessKilledInPrepareLeavesOnlyWhatReleaseRemoves) {
  Apply("web", {{"a", "1"}});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    PodVolumes pods({.pods_dir = dir_.path() + "/pods",
                     .disk_dir = dir_.path() + "/disk",
                     .objects = objects_.get(),
                     .clock = &clock_});
    (void)pods.Prepare(Pod(), kWeb);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Mounts(), 1);
  // The same id again, by a process that does not know: nothing is stacked.
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  EXPECT_EQ(Mounts(), 1);
}

TEST_F(PodVolumesTest, AVanishedTmpfsIsNotReplacedByTheDisk) {
  Apply("web", {{"a", "1"}});
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  ASSERT_EQ(::umount2((dir_.path() + "/pods/pod1/volumes").c_str(), MNT_DETACH), 0);
  EXPECT_THAT(Apply("web", {{"a", "2"}}).failures, ElementsAre(HasSubstr("no longer mounted")));
  EXPECT_FALSE(fs::exists(Volume("conf") + "/a"));
}

TEST_F(PodVolumesTest, ChangesAndPodsThatComeAndGoAtOnce) {
  Apply("web", {{"a", "0"}});
  std::atomic<bool> done = false;
  std::string mount_error;
  std::thread applier([&] {
    // A thread of this one's mount namespace (clone(2) keeps it).
    for (int i = 1; !done.load(); ++i) Apply("web", {{"a", std::to_string(i)}});
  });
  for (int i = 0; i < 50; ++i) {
    const absl::Status prepared = pods_->Prepare(Pod(), kWeb);
    if (!prepared.ok()) mount_error = prepared.ToString();
    (void)Resolve(R"([{"name": "conf", "mountPath": "/c", "subPath": "a"}])");
    const absl::Status released = pods_->Release("pod1");
    if (!released.ok()) mount_error = released.ToString();
  }
  ASSERT_OK(pods_->Prepare(Pod(), kWeb));
  done = true;
  applier.join();
  EXPECT_EQ(mount_error, "");
  // Whichever came last, the pod has the last content.
  EXPECT_EQ(Slurp(Volume("conf") + "/a"), objects_->GetConfigMap("", "web")->data().at("a"));
}

TEST_F(PodVolumesTest, NoVolumesNoFiles) {
  EXPECT_OK(pods_->Prepare(Pod(), ""));
  EXPECT_FALSE(fs::exists(dir_.path() + "/pods/pod1"));
  EXPECT_THAT(*Resolve(""), SizeIs(0));
  EXPECT_THAT(Resolve(R"([{"name": "a", "mountPath": "/a"}])"),
              StatusIs(kInvalid, HasSubstr("the pod has no volume 'a'")));
  EXPECT_OK(pods_->UpdateIdentity(Pod()));
  EXPECT_OK(pods_->ReleaseContainer("pod1", "c1"));
}

TEST_F(PodVolumesTest, APodsOwnMountsAreFilledThroughItsRoot) {
  constexpr char kVolumes[] = R"([{"name": "conf", "configMap": {"name": "web"}},
      {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "4096"}},
      {"name": "disk", "emptyDir": {}}])";
  Apply("web", {{"a", "1"}});
  ASSERT_OK_AND_ASSIGN(const PodMounts plan, pods_->Plan(kVolumes));
  EXPECT_EQ(plan.tmpfs_bytes, 4 << 20);
  ASSERT_THAT(plan.memory, SizeIs(1));
  EXPECT_EQ(plan.memory[0].name, "mem");
  EXPECT_EQ(plan.memory[0].bytes, 4096);

  // What pause should have mounted is not: nothing is written to what lies below.
  fs::create_directories(Root() + "/volumes");
  EXPECT_THAT(pods_->Prepare(Pod(), kVolumes, VolumePlace::kPod),
              StatusIs(kPrecondition, HasSubstr("no longer mounted")));
  EXPECT_TRUE(fs::is_empty(Root() + "/volumes"));
  MountInPod("/volumes");
  MountInPod("/volumes/mem");
  PodIdentity pod = Pod();
  pod.fs_group = 2000;
  ASSERT_OK(pods_->Prepare(pod, kVolumes, VolumePlace::kPod));
  EXPECT_EQ(Mounts(), 2);  // Only ours.
  EXPECT_EQ(Slurp(Root() + "/volumes/conf/a"), "1");
  EXPECT_EQ(Stat(Root() + "/volumes/mem").st_mode & 07777, 02777u);
  EXPECT_EQ(Stat(Root() + "/volumes/mem").st_gid, 2000u);

  ASSERT_OK_AND_ASSIGN(const auto mounts, Resolve(R"([{"name": "conf", "mountPath": "/c"},
      {"name": "conf", "mountPath": "/f", "subPath": "a"},
      {"name": "mem", "mountPath": "/m", "subPath": "x/y"},
      {"name": "disk", "mountPath": "/d", "subPath": "z"}])"));
  ASSERT_THAT(mounts, SizeIs(4));
  EXPECT_EQ(mounts[0].host_path, "/volumes/conf");
  EXPECT_EQ(mounts[0].sub_path, "");
  EXPECT_EQ(mounts[1].sub_path, "a");
  EXPECT_TRUE(mounts[0].from_pod && mounts[1].from_pod && mounts[2].from_pod);
  EXPECT_TRUE(mounts[1].is_file);
  EXPECT_TRUE(fs::is_directory(Root() + "/volumes/mem/x/y"));
  EXPECT_FALSE(mounts[3].from_pod);
  EXPECT_EQ(mounts[3].host_path, dir_.path() + "/disk/pod1/empty-dirs/disk");
  EXPECT_EQ(mounts[3].sub_path, "z");
  EXPECT_EQ(Mounts(), 2);
  EXPECT_THAT(Resolve(R"([{"name": "conf", "mountPath": "/c", "subPath": "none"}])"),
              StatusIs(kPrecondition, HasSubstr("there is no 'none'")));

  EXPECT_EQ(Apply("web", {{"a", "2"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Root() + "/volumes/conf/a"), "2");
  Restart();
  ASSERT_OK(pods_->Recover({"pod1"}));
  EXPECT_EQ(Apply("web", {{"a", "3"}}).pods_changed, 1);
  EXPECT_EQ(Slurp(Root() + "/volumes/conf/a"), "3");

  // With the pause process the mounts have gone: there is nothing to change, or to fail.
  ended_ = true;
  const UpdateReport report = Apply("web", {{"a", "4"}});
  EXPECT_EQ(report.pods_changed, 0);
  EXPECT_THAT(report.failures, SizeIs(0));
  ASSERT_OK(pods_->ReleaseContainer("pod1", "c1"));
  ASSERT_OK(pods_->Release("pod1"));
  ASSERT_EQ(::umount2((Root() + "/volumes/mem").c_str(), MNT_DETACH), 0);
  ASSERT_EQ(::umount2((Root() + "/volumes").c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace crisp::volumes

// Images and volumes that are not what they seem, at rest and while a container starts.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "shim/launch/test_container.h"
#include "tests/security/attack.h"

namespace crisp::security {
namespace {

using shim::ContainerLaunch;
using shim::RequestFor;
using shim::RunResult;
using shim::RunToEnd;
using shim::TestBundle;
using shim::TestProcess;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

void Replace(const TestBundle& bundle, const std::string& name, const std::string& target) {
  const std::string path = bundle.Path(name);
  if (::rmdir(path.c_str()) == -1) ::unlink(path.c_str());
  ASSERT_EQ(::symlink(target.c_str(), path.c_str()), 0) << path;
}

void Bind(Json* spec, const std::string& source, const std::string& destination,
          std::vector<std::string> options = {"rbind", "rprivate"}) {
  (*spec)["mounts"].push_back({{"type", "bind"},
                               {"source", source},
                               {"destination", destination},
                               {"options", std::move(options)}});
}

std::string Message(const RunResult& result) { return std::string(result.status.message()); }

// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642.
TEST(ProcAndSys, AreMountedOnOrdinaryDirectoriesOnly) {
  for (const char* name : {"proc", "sys"}) {
    for (const char* target : {"/tmp", "tmp", "/etc/passwd", "/no/where"}) {
      TestBundle bundle;
      Replace(bundle, absl::StrCat("rootfs/", name), target);
      const RunResult result = RunToEnd(bundle, bundle.Spec("true"));
      EXPECT_FALSE(result.status.ok()) << name << target;
      EXPECT_THAT(Message(result), HasSubstr("ordinary directory"));
    }
  }
}

TEST(ProcAndSys, NothingIsPutInsideProc) {
  TestBundle bundle;
  bundle.MakeDir("volume");
  bundle.WriteFile("volume/meminfo", "mine");
  for (const char* place : {"/proc/self/attr", "/proc/sys", "/proc/1", "/proc/../proc/sys"}) {
    Json spec = bundle.Spec("true");
    Bind(&spec, bundle.Path("volume"), place);
    EXPECT_THAT(Message(RunToEnd(bundle, spec)), HasSubstr("is inside /proc"));
  }
  Json spec = bundle.Spec("true");
  Bind(&spec, bundle.Path("volume"), "/proc");
  EXPECT_THAT(Message(RunToEnd(bundle, spec)), HasSubstr("not the root of a procfs"));
  // What only tells may be replaced.
  spec = bundle.Spec("cat /proc/meminfo");
  Bind(&spec, bundle.Path("volume/meminfo"), "/proc/meminfo", {"bind", "ro"});
  EXPECT_EQ(RunToEnd(bundle, spec).out, "mine");
}

// CVE-2021-30465 and CVE-2024-45310: what is mounted, and what is made for it, stays in
// the root whatever is exchanged meanwhile.
TEST(Races, AVolumesDirectoryBecomesALink) {
  TestBundle bundle;
  bundle.MakeDir("volume/dir");
  bundle.MakeDir("outside");
  bundle.MakeDir("secret");
  ASSERT_EQ(::symlink(bundle.Path("outside").c_str(), bundle.Path("volume/link").c_str()), 0);
  Json spec = bundle.Spec("cat /proc/self/mountinfo");
  Bind(&spec, bundle.Path("volume"), "/volume");
  Bind(&spec, bundle.Path("secret"), "/volume/dir/deep/er/mount");
  spec["mounts"].push_back(
      {{"type", "tmpfs"}, {"source", "tmpfs"}, {"destination", "/volume/dir/tmpfs"}});
  const ContainerLaunch request = RequestFor(bundle, spec);
  int started = 0;
  {
    const Swapper swapper(bundle.Path("volume/dir"), bundle.Path("volume/link"));
    for (int round = 0; round < Rounds(); ++round) {
      ReapEnded();
      const RunResult result = RunToEnd(request);
      started += result.status.ok() ? 1 : 0;
      ASSERT_EQ(HostMountsOf(bundle.path()), "") << round;
      ASSERT_EQ(Listing(bundle.Path("outside")), "") << round;
      ASSERT_EQ(Listing(bundle.Path("secret")), "") << round;
    }
  }
  EXPECT_GT(started, 0);
  // The link, read in the root, names a path there. Nothing else was made.
  EXPECT_EQ(::access("/volume", F_OK), -1);
}

// CVE-2025-31133: what hides a file is the host's null device, whatever the image has.
TEST(Masks, DoNotUseTheContainersNullDevice) {
  TestBundle bundle;
  Replace(bundle, "rootfs/dev", "nowhere");
  ::unlink(bundle.Path("rootfs/dev").c_str());
  bundle.MakeDir("rootfs/dev");
  Replace(bundle, "rootfs/dev/null", "/proc/sys/kernel/core_pattern");
  // Without a /dev of its own the image's is used: it must not be believed.
  Json spec = bundle.Spec("true");
  Json mounts = Json::array();
  for (const Json& mount : spec["mounts"]) {
    if (!absl::StartsWith(mount["destination"].get<std::string>(), "/dev")) mounts.push_back(mount);
  }
  spec["mounts"] = mounts;
  EXPECT_THAT(Message(RunToEnd(bundle, spec)), HasSubstr("/dev/null"));

  // With a volume as /dev, whose null device is exchanged all the time.
  bundle.MakeDir("dev");
  ASSERT_EQ(::mknod(bundle.Path("dev/null").c_str(), S_IFCHR | 0666, 1 << 8 | 3), 0);
  Replace(bundle, "dev/other", "/proc/sys/kernel/core_pattern");
  spec = bundle.Spec(
      "wc -c < /proc/timer_list; echo x > /proc/timer_list; grep timer_list /proc/self/mountinfo");
  spec["mounts"] = mounts;
  Bind(&spec, bundle.Path("dev"), "/dev");
  const std::string pattern = *ReadFile("/proc/sys/kernel/core_pattern");
  const Swapper swapper(bundle.Path("dev/null"), bundle.Path("dev/other"));
  for (int round = 0; round < Rounds(); ++round) {
    ReapEnded();
    const RunResult result = RunToEnd(bundle, spec);
    ASSERT_OK(result.status);
    ASSERT_THAT(result.out, HasSubstr("0\n"));
    ASSERT_THAT(result.out, HasSubstr("/null /proc/timer_list"));
    ASSERT_EQ(*ReadFile("/proc/sys/kernel/core_pattern"), pattern);
  }
}

// CVE-2025-52565: the console is the container's own terminal, or there is no container.
TEST(Races, ThePseudoterminalDirectoryBecomesALink) {
  TestBundle bundle;
  bundle.MakeDir("dev/pts");
  bundle.MakeDir("dev/fake");
  ASSERT_EQ(::symlink("fake", bundle.Path("dev/swapped").c_str()), 0);
  bundle.WriteFile("dev/fake/ptmx", "");
  bundle.WriteFile("dev/fake/0", "");
  bundle.WriteFile("dev/console", "");
  Json spec = bundle.Spec("cat /proc/self/mountinfo");
  Json mounts = Json::array({spec["mounts"][0]});
  spec["mounts"] = mounts;
  Bind(&spec, bundle.Path("dev"), "/dev");
  Json devpts = {{"type", "devpts"},
                 {"source", "devpts"},
                 {"destination", "/dev/pts"},
                 {"options", {"newinstance", "ptmxmode=0666"}}};
  spec["process"]["terminal"] = true;

  const RunResult plain = RunToEnd(bundle, spec);  // No devpts at all.
  EXPECT_FALSE(plain.status.ok());
  EXPECT_THAT(Message(plain), HasSubstr("terminal: "));

  spec["mounts"].push_back(devpts);
  const std::string before = Listing(bundle.Path("dev/fake"));
  const Swapper swapper(bundle.Path("dev/pts"), bundle.Path("dev/swapped"));
  for (int round = 0; round < Rounds(); ++round) {
    ReapEnded();
    auto container = TestProcess::Create(RequestFor(bundle, spec));
    if (!container.ok()) continue;
    ASSERT_OK_AND_ASSIGN(const auto table,
                         ReadMountInfo(absl::StrCat("/proc/", (*container)->pid(), "/mountinfo")));
    for (const MountInfo& mount : table) {
      if (mount.mount_point == "/dev/console") {
        ASSERT_EQ(mount.fs_type, "devpts");
      }
    }
    ASSERT_EQ(Listing(bundle.Path("dev/fake")), before);
  }
}

// CVE-2025-52881: a sysctl reaches the kernel, not what the root has as /proc meanwhile.
TEST(Races, ProcBecomesALinkWhileASysctlIsWritten) {
  TestBundle bundle;
  bundle.MakeDir("rootfs/fake/sys/net/ipv4");
  bundle.WriteFile("rootfs/fake/sys/net/ipv4/ip_unprivileged_port_start", "decoy");
  ASSERT_EQ(::symlink("fake", bundle.Path("rootfs/link").c_str()), 0);
  Json spec = bundle.Spec("cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
  spec["linux"]["sysctl"] = {{"net.ipv4.ip_unprivileged_port_start", "1234"}};
  spec["linux"]["maskedPaths"] = Json::array();
  spec["linux"]["readonlyPaths"] = Json::array();
  const std::string host = *ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  const std::string decoy = Listing(bundle.Path("rootfs/fake"));
  int started = 0;
  const Swapper swapper(bundle.Path("rootfs/proc"), bundle.Path("rootfs/link"));
  for (int round = 0; round < Rounds(); ++round) {
    ReapEnded();
    const RunResult result = RunToEnd(bundle, spec);
    if (result.status.ok()) {
      ++started;
      // Exchanged after the start it may not be found; another value it never has.
      ASSERT_THAT(result.out, ::testing::AnyOf("1234\n", HasSubstr("No such file"), "decoy"));
    }
    ASSERT_EQ(*ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"), host);
    ASSERT_EQ(Listing(bundle.Path("rootfs/fake")), decoy);
  }
  EXPECT_GT(started, 0);
}

// CVE-2026-41579, CVE-2026-47766: devices are made in the root's own /dev or not at all.
TEST(Devices, ADevThatIsALinkIsRefused) {
  TestBundle bundle;
  bundle.MakeDir("outside");
  for (const std::string& target :
       {bundle.Path("outside"), std::string("/proc"), std::string("/tmp"), std::string("etc")}) {
    Replace(bundle, "rootfs/dev", target);
    const std::string before = Listing(bundle.Path("outside"));
    const RunResult result = RunToEnd(bundle, bundle.Spec("true"));
    EXPECT_FALSE(result.status.ok()) << target;
    EXPECT_EQ(Listing(bundle.Path("outside")), before);
    EXPECT_NE(::access("/proc/ptmx", F_OK), 0);
  }
}

// CVE-2025-24965, CVE-2024-5154: /etc of the image leads out of the root; files that are
// mounted there do not.
TEST(Etc, OfTheImageLeadsNowhereElse) {
  TestBundle bundle;
  bundle.MakeDir("outside");
  bundle.WriteFile("hosts", "hosts");
  ::unlink(bundle.Path("rootfs/etc/passwd").c_str());
  for (const std::string& target :
       {"../../../../../.." + bundle.Path("outside"), bundle.Path("outside")}) {
    Replace(bundle, "rootfs/etc", target);
    Json spec = bundle.Spec("cat /etc/hosts");
    for (const char* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab"}) {
      Bind(&spec, bundle.Path("hosts"), file, {"bind", "ro"});
    }
    const RunResult result = RunToEnd(bundle, spec);
    EXPECT_OK(result.status);
    EXPECT_EQ(result.out, "hosts");
    EXPECT_EQ(Listing(bundle.Path("outside")), "");
  }
}

// CVE-2023-25809: nothing of the cgroup hierarchy can be changed from inside.
TEST(Cgroups, AreReadOnly) {
  TestBundle bundle;
  Json spec = bundle.Spec(
      "grep cgroup /proc/self/mountinfo; for d in /sys/fs/cgroup /sys/fs/cgroup/*; do "
      "mkdir $d/made && echo MADE $d; echo $$ > $d/cgroup.procs && echo WROTE $d; "
      "echo 1 > $d/notify_on_release && echo WROTE $d; done 2>/dev/null");
  for (const bool own_namespace : {false, true}) {
    if (own_namespace) spec["linux"]["namespaces"].push_back({{"type", "cgroup"}});
    ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
    ASSERT_OK_AND_ASSIGN(const auto table,
                         ReadMountInfo(absl::StrCat("/proc/", container->pid(), "/mountinfo")));
    int seen = 0;
    for (const MountInfo& mount : table) {
      if (!absl::StartsWith(mount.mount_point, "/sys/fs/cgroup")) continue;
      ++seen;
      EXPECT_TRUE(absl::StartsWith(mount.options, "ro,nosuid,nodev,noexec")) << mount.mount_point;
    }
    EXPECT_GT(seen, 0);
    ASSERT_OK(container->Start());
    const std::string out = container->Output();
    EXPECT_THAT(out, Not(HasSubstr("MADE")));
    EXPECT_THAT(out, Not(HasSubstr("WROTE")));
  }
}

}  // namespace
}  // namespace crisp::security

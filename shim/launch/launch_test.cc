// Containers and execs end to end, on the running kernel, with a root of busybox.
#include "shim/launch/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "cgroup/hierarchies.h"
#include "shim/launch/test_container.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

// What is the host to the launcher is a mount namespace of the test's own: what others mount
// on this machine meanwhile does not come here, and anything of the launcher's would, since
// every mount here is shared, as systemd's hosts have it.
class OwnMounts : public ::testing::Environment {
 public:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    // Others' containers and namespaces: who removes the place of a mount takes the mount away
    // here as well.
    ASSERT_OK_AND_ASSIGN(const auto mounts, ReadMountInfo("/proc/self/mountinfo"));
    const std::string needed = absl::StrCat(::testing::TempDir(), "/");
    for (const MountInfo& mount : mounts) {
      for (const char* top : {"/tmp/", "/run/", "/var/lib/"}) {
        if (!absl::StartsWith(mount.mount_point, top)) continue;
        if (absl::StartsWith(needed, mount.mount_point + "/")) continue;
        (void)::umount2(mount.mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
      }
    }
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
  }
};
[[maybe_unused]] const auto* const kOwnMounts =
    ::testing::AddGlobalTestEnvironment(new OwnMounts());

std::string HostMounts() { return *ReadFile("/proc/self/mountinfo"); }

bool CgroupExists(const Json& spec) {
  const std::string path = spec["linux"]["cgroupsPath"];
  return ::access(absl::StrCat("/sys/fs/cgroup/memory", path).c_str(), F_OK) == 0 ||
         ::access(absl::StrCat("/sys/fs/cgroup", path).c_str(), F_OK) == 0 ||
         ::access(absl::StrCat("/sys/fs/cgroup/unified", path).c_str(), F_OK) == 0;
}

// No child of ours is left but those that this reaps.
int Children() {
  int count = 0;
  while (::waitpid(-1, nullptr, WNOHANG) > 0) ++count;
  return ::waitpid(-1, nullptr, WNOHANG) == -1 ? count : -1;
}

// Ten seconds at most.
void WaitFor(const std::string& path) {
  for (int i = 0; i < 1000 && ::access(path.c_str(), F_OK) != 0; ++i) ::usleep(10000);
}

void Mount(Json* spec, const std::string& source, const std::string& destination,
           std::vector<std::string> options) {
  (*spec)["mounts"].push_back({{"type", "bind"},
                               {"source", source},
                               {"destination", destination},
                               {"options", std::move(options)}});
}

TEST(Launch, RunsToItsEnd) {
  TestBundle bundle;
  const std::string mounts = HostMounts();
  const Json spec = bundle.Spec("echo hello; exit 7");
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(HostMounts(), mounts);
  EXPECT_FALSE(CgroupExists(spec));
}

TEST(Launch, ASignalIsAnExitCodeToo) {
  TestBundle bundle;
  Json spec = bundle.Spec("kill -9 $$");
  RemoveNamespaceFrom(&spec, "pid");  // Init of a namespace cannot kill itself.
  EXPECT_EQ(RunToEnd(bundle, spec).exit_code, 137);
}

TEST(Launch, WaitsForStart) {
  TestBundle bundle;
  ASSERT_OK_AND_ASSIGN(auto container,
                       TestProcess::Create(RequestFor(bundle, bundle.Spec("touch /ran"))));
  ::usleep(20000);
  EXPECT_NE(::access(bundle.Path("rootfs/ran").c_str(), F_OK), 0);
  ASSERT_OK(container->Start());
  EXPECT_FALSE(container->launch().Start().ok());
  EXPECT_EQ(container->Wait(), 0);
  EXPECT_EQ(::access(bundle.Path("rootfs/ran").c_str(), F_OK), 0);
}

TEST(Launch, WhatIsDroppedLeavesNothing) {
  TestBundle bundle;
  const Json spec = bundle.Spec("sleep 100");
  { ASSERT_OK_AND_ASSIGN(auto launch, Launch::Begin(RequestFor(bundle, spec))); }
  {
    ASSERT_OK_AND_ASSIGN(auto launch, Launch::Begin(RequestFor(bundle, spec)));
    pollfd news = {launch->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&news, 1, 20000), 1);
  }
  for (int i = 0; i < 500 && ::waitpid(-1, nullptr, WNOHANG) != -1; ++i) ::usleep(10000);
  EXPECT_EQ(Children(), 0);
  EXPECT_FALSE(CgroupExists(spec));
}

// The worker is killed in the middle, and can take nothing back: the shim does.
TEST(Launch, AWorkerThatIsKilledLeavesNothing) {
  TestBundle bundle;
  Json spec = bundle.Spec("sleep 100");
  const std::string reached = bundle.Path("reached"), go = bundle.Path("go");
  const std::string wait =
      absl::StrCat("touch ", reached, "; until [ -e ", go, " ]; do sleep 0.05; done");
  spec["hooks"] = {{"prestart", {{{"path", "/bin/busybox"}, {"args", {"sh", "-c", wait}}}}}};
  ASSERT_OK_AND_ASSIGN(auto launch, Launch::Begin(RequestFor(bundle, spec)));
  while (::access(reached.c_str(), F_OK) != 0) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(CgroupExists(spec));
  ASSERT_EQ(::kill(launch->worker(), SIGKILL), 0);
  absl::StatusOr<Launch::Stage> stage = Launch::Stage::kPreparing;
  while (stage.ok()) {
    ASSERT_EQ(*stage, Launch::Stage::kPreparing);
    pollfd news = {launch->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&news, 1, 5000), 1);
    stage = launch->Advance();
  }
  EXPECT_THAT(std::string(stage.status().message()), HasSubstr("launch protocol"));
  // The worker, init, and who takes the cgroup back.
  for (int i = 0; i < 3; ++i) EXPECT_GT(::wait(nullptr), 0);
  EXPECT_FALSE(CgroupExists(spec));
  bundle.WriteFile("go", "");  // For the hook, which is nobody's child now.
}

TEST(Launch, FailuresNameStepAndErrno) {
  TestBundle bundle;
  const auto fails = [&](const Json& spec, const char* what, int err = 0) {
    const RunResult result = RunToEnd(bundle, spec);
    EXPECT_FALSE(result.status.ok());
    EXPECT_THAT(std::string(result.status.message()), HasSubstr(what));
    if (err != 0) {
      EXPECT_EQ(ErrnoOf(result.status), err) << result.status;
    }
    EXPECT_FALSE(CgroupExists(spec)) << what;
    for (int i = 0; i < 200 && ::waitpid(-1, nullptr, WNOHANG) != -1; ++i) ::usleep(10000);
  };
  Json spec = bundle.Spec("true");
  spec["process"]["args"] = {"no-such-program"};
  fails(spec, "exec: \"no-such-program\": executable file not found in $PATH", ENOENT);
  spec["process"]["args"] = {"/etc/passwd"};
  fails(spec, "exec: \"/etc/passwd\"", EACCES);
  spec = bundle.Spec("true");
  Mount(&spec, "/no/such/source", "/mnt", {"bind"});
  fails(spec, "mount sources: mounts[7].source /no/such/source", ENOENT);
  spec = bundle.Spec("true");
  spec["mounts"].push_back({{"type", "tmpfs"}, {"destination", "/t"}, {"options", {"size=lots"}}});
  fails(spec, "mounts[7] at /t: mounts[7] at /t: tmpfs: option size=lots", EINVAL);
  spec = bundle.Spec("true");
  spec["process"]["unknown"] = 1;
  fails(spec, "spec: process.unknown: is not supported");
  spec = bundle.Spec("true");
  spec["root"]["path"] = "/no/such/root";
  fails(spec, "rootfs: open root.path", ENOENT);
  spec = bundle.Spec("true");
  spec["process"]["apparmorProfile"] = "crisp-test";
  if (::access("/sys/module/apparmor", F_OK) != 0) fails(spec, "spec: process.apparmorProfile");
  spec = bundle.Spec("true");
  spec["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0";
  if (::access("/sys/fs/selinux", F_OK) != 0) fails(spec, "spec: process.selinuxLabel");
  spec = bundle.Spec("true");
  spec["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_MAYBE"}};
  fails(spec, "seccomp: linux.seccomp: seccomp profile");
}

TEST(Launch, AnExecveThatFailsIsToldAfterStart) {
  TestBundle bundle;
  bundle.WriteFile("rootfs/bin/broken",
                   "\x7f"
                   "ELF nonsense",
                   0755);
  Json spec = bundle.Spec("");
  spec["process"]["args"] = {"/bin/broken"};
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  const absl::Status started = container->Start();
  EXPECT_EQ(ErrnoOf(started), ENOEXEC) << started;
  EXPECT_EQ(container->Wait(), 127);
}

TEST(Launch, UserGroupsAndDirectory) {
  TestBundle bundle;
  Json spec =
      bundle.Spec("id -u; id -g; id -G; pwd; echo $HOME; umask; grep Cap /proc/self/status");
  spec["process"]["user"] = {
      {"uid", 1000}, {"gid", 1001}, {"umask", 077}, {"additionalGids", {7, 8}}};
  spec["process"]["cwd"] = "/work/here";
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("1000\n1001\n1001 7 8\n/work/here\n/tmp\n0077\n"));
  EXPECT_THAT(result.out, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(result.out, HasSubstr("CapBnd:\t00000000a80425fb"));
}

TEST(Launch, CapabilitiesAreTheSpecs) {
  TestBundle bundle;
  Json spec = bundle.Spec("grep -E 'Cap|NoNew' /proc/self/status");
  spec["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  spec["process"]["noNewPrivileges"] = false;
  const std::vector<std::string> sets = {"CAP_CHOWN", "CAP_NET_BIND_SERVICE"};
  spec["process"]["capabilities"] = {{"bounding", sets},
                                     {"effective", sets},
                                     {"permitted", sets},
                                     {"inheritable", sets},
                                     {"ambient", sets}};
  RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_THAT(result.out, HasSubstr(absl::StrCat(set, ":\t0000000000000401")));
  }
  EXPECT_THAT(result.out, HasSubstr("NoNewPrivs:\t0"));
  spec["process"].erase("capabilities");
  result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("CapBnd:\t0000000000000000"));
}

TEST(Launch, MountsAndReadOnlyRoot) {
  TestBundle bundle;
  bundle.MakeDir("volume/sub");
  bundle.WriteFile("volume/sub/file", "text");
  bundle.WriteFile("rootfs/etc/real", "");
  ASSERT_EQ(::symlink("../made/later", bundle.Path("rootfs/etc/dangling").c_str()), 0);
  Json spec = bundle.Spec(
      "cat /data/sub/file /one/deep/file /etc/dangling; touch /data/x; touch /ro/x; touch /root/x; "
      "touch /scratch/x; readlink -f /etc/dangling");
  spec["root"]["readonly"] = true;
  Mount(&spec, "volume", "/data", {"rbind", "rprivate"});
  Mount(&spec, bundle.Path("volume/sub/file"), "/one/deep/file", {"bind", "ro"});
  Mount(&spec, bundle.Path("volume/sub/file"), "/etc/dangling", {"bind", "ro"});
  Mount(&spec, bundle.Path("volume"), "/ro", {"rbind", "rro"});
  spec["mounts"].push_back({{"type", "tmpfs"}, {"destination", "/scratch"}, {"options", {"ro"}}});
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("texttexttext"));
  EXPECT_THAT(result.out, Not(HasSubstr("touch: /data/x")));
  EXPECT_THAT(result.out, HasSubstr("touch: /ro/x: Read-only file system"));
  EXPECT_THAT(result.out, HasSubstr("touch: /root/x: Read-only file system"));
  EXPECT_THAT(result.out, HasSubstr("touch: /scratch/x: Read-only file system"));
  EXPECT_THAT(result.out, HasSubstr("/made/later"));
}

TEST(Launch, ASharedRootPropagatesToTheHost) {
  TestBundle bundle;
  bundle.MakeDir("shared/in");
  const std::string shared = bundle.Path("shared"), inside = bundle.Path("shared/in");
  ASSERT_EQ(::mount(shared.c_str(), shared.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, shared.c_str(), nullptr, MS_SHARED, nullptr), 0);
  Json spec = bundle.Spec("mount -t tmpfs tmpfs /shared/in && echo mounted");
  spec["linux"]["rootfsPropagation"] = "rshared";
  for (const char* set : {"bounding", "effective", "permitted"}) {
    spec["process"]["capabilities"][set].push_back("CAP_SYS_ADMIN");
  }
  Mount(&spec, shared, "/shared", {"rbind", "rshared"});
  const RunResult result = RunToEnd(bundle, spec);
  EXPECT_OK(result.status);
  EXPECT_EQ(result.out, "mounted\n");
  EXPECT_THAT(HostMounts(), HasSubstr(inside));
  ::umount2(inside.c_str(), MNT_DETACH);
  ::umount2(shared.c_str(), MNT_DETACH);
}

TEST(Launch, AnOverlayOfManyLayers) {
  TestBundle bundle;
  bundle.MakeDir("upper");
  bundle.MakeDir("work");
  std::string lower = bundle.rootfs();
  for (int i = 0; i < 100; ++i) {
    const std::string name = absl::StrCat("layer-with-a-long-name-to-fill-the-option-", i);
    bundle.MakeDir(name);
    absl::StrAppend(&lower, ":", bundle.Path(name));
  }
  for (int round = 0; round < 2; ++round) {
    Json spec = bundle.Spec("cat /kept; echo kept > /kept");
    spec["root"].erase("path");
    ContainerLaunch request = RequestFor(bundle, spec);
    request.rootfs = {{"overlay",
                       "overlay",
                       "",
                       {"lowerdir=" + lower, "upperdir=" + bundle.Path("upper"),
                        "workdir=" + bundle.Path("work"), "volatile"}}};
    const RunResult result = RunToEnd(request);
    ASSERT_OK(result.status);
    if (round == 1) {
      EXPECT_EQ(result.out, "kept\n");
    }
    EXPECT_EQ(::access(bundle.Path("work/work/incompat/volatile").c_str(), F_OK), 0);
  }
  EXPECT_EQ(*ReadFile(bundle.Path("upper/kept")), "kept\n");
}

TEST(Launch, MaskedAndReadOnlyPaths) {
  TestBundle bundle;
  Json spec = bundle.Spec(
      "wc -c < /proc/timer_list; ls -A /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/pid_max; "
      "echo x > /sys/firmware/x; grep -E ' /proc/(sys|timer_list) ' /proc/self/mountinfo");
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("0\n0\n"));
  EXPECT_THAT(result.out, HasSubstr("pid_max: Read-only file system"));
  EXPECT_THAT(result.out, HasSubstr("/sys/firmware/x: Read-only file system"));
}

TEST(Launch, DevicesAndStreams) {
  TestBundle bundle;
  Json spec = bundle.Spec(
      "stat -c '%n %a %t:%T %u' /dev/null /dev/made /dev/deep/tun; readlink /dev/fd; readlink "
      "/dev/ptmx; "
      "cat; readlink /proc/self/fd/0; stat -c %u /proc/self/fd/1 -L; dd if=/dev/made of=/x");
  spec["linux"]["devices"] = {
      {{"path", "/dev/made"},
       {"type", "c"},
       {"major", 1},
       {"minor", 11},
       {"fileMode", 0600},
       {"uid", 5}},
      {{"path", "/dev/deep/tun"}, {"type", "c"}, {"major", 10}, {"minor", 200}}};
  spec["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("/dev/null 666 1:3 0\n/dev/made 600 1:b 5\n"
                                    "/dev/deep/tun 666 a:c8 0\n/proc/self/fd\npts/ptmx\n"));
  EXPECT_THAT(result.out, HasSubstr("/dev/null\n1000\n"));
}

// As containerd's CRI plugin has it for its sandboxes: OCI's default devices are there all
// the same.
TEST(Launch, DeniedDevicesButTheDefaultOnes) {
  TestBundle bundle;
  Json spec = bundle.Spec(
      "set -e; echo x > /dev/null; head -c 1 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c;"
      "mknod /tmp/loop b 7 0; echo made; head -c 1 /tmp/loop");
  spec["linux"]["resources"]["devices"] = {{{"allow", false}, {"access", "rwm"}}};
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("1\n1\nmade\n"));
  EXPECT_THAT(result.out, HasSubstr("Operation not permitted"));
}

TEST(Launch, LimitsSysctlsAndScheduling) {
  TestBundle bundle;
  Json spec = bundle.Spec(
      "ulimit -n; ulimit -Hn; ulimit -c; cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
      "/proc/sys/kernel/shmmni /proc/self/oom_score_adj; cat /proc/self/personality; "
      "ls /sys/class/net; cat /sys/class/net/lo/flags");
  spec["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 100}, {"hard", 200}},
                                {{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 0}}};
  spec["process"]["oomScoreAdj"] = 500;
  spec["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_BE"}, {"priority", 5}};
  spec["process"]["scheduler"] = {{"policy", "SCHED_BATCH"}, {"nice", 3}};
  spec["process"]["execCPUAffinity"] = {{"initial", "0"}, {"final", "0-1"}};
  spec["linux"]["sysctl"] = {{"net.ipv4.ip_unprivileged_port_start", "0"},
                             {"kernel.shmmni", "4000"}};
  spec["linux"]["personality"] = {{"domain", "LINUX32"}};
  RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("100\n200\n0\n0\n4000\n500\n00000008\nlo\n0x9\n"));

  spec["process"]["oomScoreAdj"] = -998;  // Or the lowest that the host allows.
  EXPECT_OK(RunToEnd(bundle, spec).status);
  spec["linux"]["sysctl"] = {{"vm.swappiness", "0"}};
  result = RunToEnd(bundle, spec);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("linux.sysctl.vm.swappiness")));
  spec["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
  RemoveNamespaceFrom(&spec, "network");
  result = RunToEnd(bundle, spec);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("without a network namespace")));
}

TEST(Launch, ATimeNamespace) {
  TestBundle bundle;
  Json spec = bundle.Spec("cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime");
  spec["linux"]["namespaces"].push_back({{"type", "time"}});
  spec["linux"]["timeOffsets"] = {{"boottime", {{"secs", 5000000}}}};
  const RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("5000000"));
  // The machine's own time since its boot on top, up to four months.
  EXPECT_THAT(result.out, ::testing::ContainsRegex("\n5[0-9]{6}\n|\n1[0-4][0-9]{6}\n"));
}

Json UserNamespaceSpec(const TestBundle& bundle, const std::string& script) {
  Json spec = bundle.Spec(script);
  spec["linux"]["namespaces"].push_back({{"type", "user"}});
  spec["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  const Json maps = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  spec["linux"]["uidMappings"] = maps;
  spec["linux"]["gidMappings"] = maps;
  return spec;
}

TEST(Launch, AUserNamespaceWithIdmappedMounts) {
  TestBundle bundle;
  // The root belongs to the container's root; the volume to the host's.
  ASSERT_EQ(::system(absl::StrCat("chown -R 100000:100000 ", bundle.rootfs()).c_str()), 0);
  bundle.MakeDir("volume");
  bundle.WriteFile("volume/file", "mine");
  Json spec = UserNamespaceSpec(
      bundle,
      "cat /proc/self/uid_map; id -u; stat -c '%u %n' /plain/file /mapped/file; cat /dev/null; "
      "echo x > /mapped/new; cat /sys/class/net/lo/flags; touch /root/mine; stat -c %u /root/mine; "
      "echo again > /proc/self/fd/1");
  Mount(&spec, bundle.Path("volume"), "/plain", {"rbind"});
  Mount(&spec, bundle.Path("volume"), "/mapped", {"rbind", "ridmap"});
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  EXPECT_THAT(container->Output(),
              HasSubstr("         0     100000      65536\n0\n65534 /plain/file\n"
                        "0 /mapped/file\n0x9\n0\nagain\n"));
  EXPECT_EQ(container->Wait(), 0);
  struct stat st;
  ASSERT_EQ(::stat(bundle.Path("volume/new").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0u);
}

// Masked files and, in a user namespace, devices were clones of the host's nodes and peers of
// its /dev where that is shared: what was mounted over them in the container was mounted over
// the host's as well.
TEST(Launch, NothingInAContainerIsAPeerOfTheHosts) {
  TestBundle bundle;
  ASSERT_EQ(::system(absl::StrCat("chown -R 100000:100000 ", bundle.rootfs()).c_str()), 0);
  // A mount below a volume, which an option for the volume alone does not reach.
  bundle.MakeDir("volume/sub");
  const std::string below = bundle.Path("volume/sub");
  ASSERT_EQ(::mount("tmpfs", below.c_str(), "tmpfs", 0, nullptr), 0);
  const std::string mounts = HostMounts();
  ASSERT_THAT(mounts, HasSubstr(" shared:"));
  const std::string script =
      "cat /proc/self/mountinfo; echo x > /tmp/x; mount -o bind /tmp/x /dev/null; "
      "mount -o bind /tmp/x /proc/timer_list && cat /proc/timer_list; sleep 100";
  for (Json spec : {bundle.Spec(script), UserNamespaceSpec(bundle, script)}) {
    for (const char* set : {"bounding", "effective", "permitted"}) {
      spec["process"]["capabilities"][set].push_back("CAP_SYS_ADMIN");
    }
    Mount(&spec, bundle.Path("volume"), "/volume", {"rbind", "private"});
    ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
    ASSERT_OK(container->Start());
    std::string out;
    while (!absl::EndsWith(out, "\nx\n")) {
      const std::string more = container->Read();
      ASSERT_NE(more, "") << out;
      out += more;
    }
    EXPECT_THAT(out, HasSubstr(" /volume/sub "));
    EXPECT_THAT(out, Not(HasSubstr("shared:")));
    EXPECT_EQ(HostMounts(), mounts);
  }
  ::umount2(below.c_str(), MNT_DETACH);
}

TEST(Launch, AContainerJoinsThePodsUserNamespace) {
  TestBundle bundle;
  ASSERT_EQ(::system(absl::StrCat("chown -R 100000:100000 ", bundle.rootfs()).c_str()), 0);
  ASSERT_OK_AND_ASSIGN(
      auto pause, TestProcess::Create(RequestFor(bundle, UserNamespaceSpec(bundle, "sleep 100"))));
  ASSERT_OK(pause->Start());
  TestBundle other;
  ASSERT_EQ(::system(absl::StrCat("chown -R 100000:100000 ", other.rootfs()).c_str()), 0);
  Json spec = UserNamespaceSpec(other, "cat /proc/self/uid_map; id -u; sleep 100");
  spec["linux"].erase("uidMappings");
  spec["linux"].erase("gidMappings");
  for (const char* type : {"user", "pid", "network", "ipc", "uts"}) {
    const std::string file = type == std::string("network") ? "net" : type;
    JoinNamespaceIn(&spec, type, absl::StrCat("/proc/", pause->pid(), "/ns/", file));
  }
  ContainerLaunch request = RequestFor(other, spec);
  request.mounts_from = pause->pid();
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(request));
  ASSERT_OK(container->Start());
  // By its pid on the host, whatever it is called in the pod.
  EXPECT_THAT(ReadFile(absl::StrCat("/proc/", container->pid(), "/cgroup"), 65536),
              IsOkAndHolds(HasSubstr(spec["linux"]["cgroupsPath"].get<std::string>())));
  // Often: the worker used to be told of init by init and by the process in between on one
  // socket, and which came first was chance.
  for (int i = 0; i < 20; ++i) {
    const RunResult exec =
        RunToEnd(ExecFor(*container, spec, "id -u; cat /proc/self/uid_map; hostname"));
    ASSERT_OK(exec.status);
    EXPECT_THAT(exec.out, HasSubstr("0\n         0     100000"));
    EXPECT_THAT(exec.out, HasSubstr("crisp-test"));
  }
}

TEST(Launch, AnOverlayOfTheHosts) {
  TestBundle bundle;
  bundle.MakeDir("one/inner");
  bundle.MakeDir("two");
  bundle.WriteFile("one/inner/file", "one\n");
  bundle.WriteFile("two/top", "two\n");
  const std::string lower = absl::StrCat("lowerdir=", bundle.Path("two"), ":", bundle.Path("one"));
  const auto overlay = [&](const char* at, std::vector<std::string> options) {
    options.insert(options.begin(), {"ro", "nosuid", "nodev", lower});
    return Json{
        {"type", "overlay"}, {"source", "overlay"}, {"destination", at}, {"options", options}};
  };
  Json spec = bundle.Spec(
      "cat /all/inner/file /all/top /sub/file; touch /all/x /sub/x 2>/dev/null || echo refused; "
      "grep -c overlay /proc/self/mountinfo");
  spec["mounts"].push_back(overlay("/all", {}));
  spec["mounts"].push_back(overlay("/sub", {"x-crisp.subpath=inner"}));
  const std::string mounts = HostMounts();
  ContainerLaunch request = RequestFor(bundle, spec);
  request.crisp_options = true;
  RunResult result = RunToEnd(request);
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("one\ntwo\none\nrefused\n2\n"));

  for (const char* wrong : {"none", "top"}) {
    spec["mounts"].back() = overlay("/sub", {absl::StrCat("x-crisp.subpath=", wrong)});
    request.spec_json = spec.dump();
    EXPECT_FALSE(RunToEnd(request).status.ok()) << wrong;
  }
  EXPECT_EQ(HostMounts(), mounts);
}

TEST(Launch, MountsFromAPod) {
  TestBundle bundle;
  bundle.MakeDir("volume/inner");
  bundle.WriteFile("volume/inner/file", "pod's");
  const std::string mounts = HostMounts();
  {
    Json pod_spec = bundle.Spec("sleep 100");
    pod_spec["root"]["readonly"] = true;
    pod_spec["mounts"] = {{{"type", "tmpfs"}, {"source", "tmpfs"}, {"destination", "/tmp"}}};
    Mount(&pod_spec, bundle.Path("volume"), "/mnt", {"rbind"});
    pod_spec["linux"]["maskedPaths"] = Json::array();
    pod_spec["linux"]["readonlyPaths"] = Json::array();
    pod_spec["process"]["cwd"] = "/";
    ASSERT_OK_AND_ASSIGN(auto pause, TestProcess::Create(RequestFor(bundle, pod_spec)));
    ASSERT_OK(pause->Start());
    ASSERT_OK_AND_ASSIGN(const auto pod_mounts,
                         ReadMountInfo(absl::StrCat("/proc/", pause->pid(), "/mountinfo")));
    EXPECT_EQ(pod_mounts.size(), 3u);  // Root, /tmp, /mnt.

    TestBundle other;
    Json spec = other.Spec("cat /vol/inner/file /sub /host; cat /proc/self/mountinfo | wc -l");
    JoinNamespaceIn(&spec, "network", absl::StrCat("/proc/", pause->pid(), "/ns/net"));
    Mount(&spec, "/mnt", "/vol", {"rbind", "x-crisp.pod"});
    Mount(&spec, "/mnt", "/sub", {"bind", "ro", "x-crisp.pod", "x-crisp.subpath=inner/file"});
    Mount(&spec, bundle.Path("volume"), "/host", {"bind", "x-crisp.subpath=inner/file"});
    ContainerLaunch request = RequestFor(other, spec);
    request.mounts_from = pause->pid();
    RunResult result = RunToEnd(request);
    EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("x-crisp")));
    request.crisp_options = true;
    result = RunToEnd(request);
    ASSERT_OK(result.status);
    EXPECT_THAT(result.out, HasSubstr("pod'spod'spod's"));

    // A subpath that leads out is none.
    ASSERT_EQ(::symlink("/etc", bundle.Path("volume/escape").c_str()), 0);
    spec["mounts"].back()["options"] = {"bind", "x-crisp.subpath=escape/passwd"};
    request.spec_json = spec.dump();
    result = RunToEnd(request);
    EXPECT_EQ(ErrnoOf(result.status), EXDEV) << result.status;
    EXPECT_EQ(HostMounts(), mounts);
  }
  EXPECT_EQ(HostMounts(), mounts);
}

TEST(Launch, ATerminal) {
  TestBundle bundle;
  Json spec =
      bundle.Spec("tty; stty size; ls -l /dev/console; echo to-console > /dev/console; cat");
  spec["process"]["terminal"] = true;
  spec["process"]["consoleSize"] = {{"height", 33}, {"width", 99}};
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_TRUE(container->console().ok());
  ASSERT_OK(container->Start());
  const int console = container->console().get();
  std::string seen;
  const auto read_until = [&](const char* text) {
    pollfd news = {console, POLLIN, 0};
    while (seen.find(text) == std::string::npos && ::poll(&news, 1, 10000) == 1) {
      char buffer[512];
      const ssize_t size = ::read(console, buffer, sizeof(buffer));
      if (size <= 0) break;
      seen.append(buffer, static_cast<size_t>(size));
    }
  };
  read_until("to-console");
  EXPECT_THAT(seen, HasSubstr("/dev/pts/0"));
  EXPECT_THAT(seen, HasSubstr("33 99"));
  {
    Json exec_spec = spec;
    exec_spec["process"].erase("consoleSize");
    ASSERT_OK_AND_ASSIGN(auto exec, TestProcess::Exec(ExecFor(*container, exec_spec, "tty; cat")));
    EXPECT_TRUE(exec->console().ok());
    // A pid namespace ends when all of its processes are reaped.
  }
  ASSERT_OK(WriteAll(console, "\x04"));
  EXPECT_EQ(container->Wait(), 0);
}

TEST(Launch, SeccompWithAndWithoutNewPrivileges) {
  TestBundle bundle;
  bundle.MakeDir("cache");
  for (const bool no_new_privileges : {true, false}) {
    ::unlink(bundle.Path("rootfs/tried").c_str());
    Json spec =
        bundle.Spec("grep Seccomp: /proc/self/status; mkdir /made; touch /tried; sleep 100");
    spec["process"]["noNewPrivileges"] = no_new_privileges;
    spec["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"syscalls",
         {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 77}}}}};
    ContainerLaunch request = RequestFor(bundle, spec);
    request.cache_dir = bundle.Path("cache/seccomp");
    ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(request));
    ASSERT_OK(container->Start());
    EXPECT_LT(container->facts().exec_facts.size(), 200u);  // A key, not the filter.
    ExecLaunch exec = ExecFor(*container, spec, "grep Seccomp: /proc/self/status; mkdir /made");
    exec.cache_dir = request.cache_dir;
    const RunResult result = RunToEnd(exec);
    ASSERT_OK(result.status);
    EXPECT_THAT(result.out, HasSubstr("Seccomp:\t2\n"));
    EXPECT_THAT(result.out, HasSubstr("mkdir: can't create directory '/made': "));
    WaitFor(bundle.Path("rootfs/tried"));
    container->Kill();
    EXPECT_THAT(container->Output(), HasSubstr("Seccomp:\t2\n"));
  }
  EXPECT_NE(::access(bundle.Path("rootfs/made").c_str(), F_OK), 0);
}

// The kernel's rule of no internal processes.
TEST(Launch, AnExecJoinsInitWhereTheContainerHasCgroupsOfItsOwn) {
  ASSERT_OK_AND_ASSIGN(const auto hosts, cgroup::Hierarchies::Probe());
  if (!hosts.v2()) GTEST_SKIP() << "this host has its controllers in cgroup v1";
  TestBundle bundle;
  Json spec = bundle.Spec(
      "cd /sys/fs/cgroup && mkdir init && echo 1 > init/cgroup.procs && "
      "echo +memory > cgroup.subtree_control && touch /ready; exec tail -f /dev/null");
  spec["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  for (Json& mount : spec["mounts"]) {
    if (mount["type"] == "cgroup") mount["options"].back() = "rw";
  }
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  WaitFor(bundle.Path("rootfs/ready"));
  const RunResult result = RunToEnd(ExecFor(*container, spec, "cat /proc/self/cgroup"));
  EXPECT_OK(result.status);
  EXPECT_EQ(result.out, "0::/init\n");
  container.reset();
  EXPECT_FALSE(CgroupExists(spec));
}

TEST(Launch, Execs) {
  TestBundle bundle;
  const Json spec = bundle.Spec("sleep 100");
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  // Start says go; the program is there a moment later.
  RunResult result = RunToEnd(ExecFor(
      *container, spec,
      "i=0; until grep -q sleep /proc/1/comm || [ $((i += 1)) = 500 ]; do sleep 0.01; done; "
      "hostname; cat /proc/1/comm; cat /proc/self/cgroup; exit 3"));
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("crisp-test\nsleep\n"));
  EXPECT_EQ(result.exit_code, 3);
  // In every hierarchy it is where the container is.
  const std::string cgroup = spec["linux"]["cgroupsPath"];
  for (const absl::string_view line : absl::StrSplit(result.out, '\n')) {
    if (absl::StrContains(line, ":")) {
      EXPECT_THAT(std::string(line), HasSubstr(cgroup));
    }
  }
  Json other = spec;
  other["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  other["process"]["cwd"] = "/tmp";
  other["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 64}, {"hard", 64}}};
  result = RunToEnd(ExecFor(*container, other, "id -u; pwd; ulimit -n; ls /proc/self/fd | wc -l"));
  ASSERT_OK(result.status);
  EXPECT_EQ(result.out, "1000\n/tmp\n64\n4\n");  // 0, 1, 2 and ls's own.
  ExecLaunch missing = ExecFor(*container, spec, "");
  Json process = spec["process"];
  process["args"] = {"/no/such/program"};
  missing.process_json = process.dump();
  result = RunToEnd(missing);
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("exec: \"/no/such/program\""));
  EXPECT_EQ(ErrnoOf(result.status), ENOENT);
  container->Kill();
  container->Wait();
  EXPECT_FALSE(RunToEnd(ExecFor(*container, spec, "true")).status.ok());
}

TEST(Launch, HooksRunInTheirOrder) {
  TestBundle bundle;
  const std::string log = bundle.Path("rootfs/log");
  const auto hook = [&](const char* name, const std::string& file) -> Json {
    return {{{"path", "/bin/busybox"},
             {"args", {"sh", "-c", absl::StrCat("read state; echo ", name, " $state >> ", file)}}}};
  };
  Json spec = bundle.Spec("echo program >> /log; sleep 100");
  spec["annotations"] = {{"a", "b"}};
  spec["hooks"] = {{"prestart", hook("prestart", log)},
                   {"createRuntime", hook("createRuntime", log)},
                   {"createContainer", hook("createContainer", log)},
                   {"startContainer", hook("startContainer", "/log")},
                   {"poststart", hook("poststart", log)},
                   {"poststop", hook("poststop", log)}};
  {
    ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
    ASSERT_OK(container->Start());
    ASSERT_OK_AND_ASSIGN(const pid_t poststart, BeginPoststart(container->facts(), bundle.path()));
    ASSERT_GT(poststart, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(poststart, &status, 0), poststart);
    EXPECT_EQ(status, 0);
    // The program runs beside the hook, and is about to be killed.
    for (int i = 0; i < 1000 && !absl::StrContains(*ReadFile(log), "program"); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
  const std::string text = *ReadFile(log);
  std::vector<std::string> names;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    names.emplace_back(line.substr(0, line.find(' ')));
    if (names.back() != "program") {
      EXPECT_THAT(std::string(line), HasSubstr("ociVersion"));
      EXPECT_EQ(absl::StrContains(line, "pid"), names.back() != "poststop");
    }
  }
  EXPECT_THAT(
      names, ::testing::UnorderedElementsAre("prestart", "createRuntime", "createContainer",
                                             "startContainer", "program", "poststart", "poststop"));
  EXPECT_EQ(names[0], "prestart");
  EXPECT_EQ(names[3], "startContainer");
  EXPECT_EQ(names.back(), "poststop");

  spec["hooks"] = {{"createRuntime", {{{"path", "/bin/false"}}}}};
  const RunResult result = RunToEnd(bundle, spec);
  EXPECT_THAT(std::string(result.status.message()),
              HasSubstr("hooks: hooks.createRuntime[0] /bin/false: exit code 1"));
}

// They were looked for in a spec that was gone.
TEST(Launch, AFailedLaunchRunsItsPoststopHooks) {
  TestBundle bundle;
  const std::string log = bundle.Path("log");
  Json spec = bundle.Spec("true");
  spec["hooks"] = {
      {"createRuntime", {{{"path", "/bin/false"}}}},
      {"poststop",
       {{{"path", "/bin/busybox"}, {"args", {"sh", "-c", absl::StrCat("cat >> ", log)}}}}}};
  EXPECT_THAT(std::string(RunToEnd(bundle, spec).status.message()), HasSubstr("createRuntime[0]"));
  EXPECT_THAT(ReadFile(log), IsOkAndHolds(HasSubstr("\"status\":\"stopped\"")));
}

}  // namespace
}  // namespace crisp::shim

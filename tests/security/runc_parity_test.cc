// The same bundle by runc and by us: what the started process is, field by field.
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "shim/launch/test_container.h"
#include "tests/security/attack.h"

namespace crisp::security {
namespace {

using shim::RunResult;
using shim::RunToEnd;
using shim::TestBundle;
using Json = nlohmann::json;

constexpr char kLook[] =
    "echo ==status; cat /proc/self/status; echo ==mounts; cat /proc/self/mountinfo; "
    "echo ==limits; cat /proc/self/limits; echo ==fds; ls /proc/self/fd; "
    "echo ==env; env | sort; echo ==cwd; pwd; echo ==dev; ls -1 /dev; "
    "stat -c '%n %a %u %g %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; "
    "echo ==sys; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/self/oom_score_adj; "
    "cat /sys/class/net/lo/flags 2>/dev/null; hostname; cat /proc/self/personality; "
    "echo ==ns; for n in mnt pid net ipc uts cgroup user; do echo $n $(readlink /proc/self/ns/$n); "
    "done";

// The text between "==name" and the next.
std::map<std::string, std::string> Sections(const std::string& out) {
  std::map<std::string, std::string> sections;
  std::string name;
  for (const absl::string_view line : absl::StrSplit(out, '\n')) {
    if (absl::StartsWith(line, "==")) {
      name = std::string(line.substr(2));
    } else {
      absl::StrAppend(&sections[name], line, "\n");
    }
  }
  return sections;
}

// What differs from run to run, or is the kernel's accounting.
std::string StatusFields(const std::string& status) {
  constexpr const char* kCompared[] = {"Umask",
                                       "Uid",
                                       "Gid",
                                       "Groups",
                                       "NSpgid",
                                       "NSsid",
                                       "SigBlk",
                                       "SigCgt",
                                       "CapInh",
                                       "CapPrm",
                                       "CapEff",
                                       "CapBnd",
                                       "CapAmb",
                                       "NoNewPrivs",
                                       "Seccomp",
                                       "Cpus_allowed_list",
                                       "Mems_allowed_list",
                                       "TracerPid",
                                       "Threads"};
  std::vector<std::string> kept;
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    // glibc's own two signals are not runc's to reset: it passes on what it was given.
    if (uint64_t ignored; absl::ConsumePrefix(&line, "SigIgn:\t")) {
      EXPECT_TRUE(absl::SimpleHexAtoi(line, &ignored)) << line;
      kept.push_back(absl::StrCat("SigIgn ", absl::Hex(ignored & ~(uint64_t{3} << 31))));
      continue;
    }
    for (const char* field : kCompared) {
      if (absl::StartsWith(line, absl::StrCat(field, ":"))) kept.emplace_back(line);
    }
  }
  return absl::StrJoin(kept, "\n");
}

// "mount point: root, type, options, propagation", in the order of mount points. The root
// of what masks a directory and superblocks' options are compared by what they do
// elsewhere: runc makes a tmpfs for each mask.
std::set<std::string> MountFields(const std::string& mountinfo) {
  std::set<std::string> out;
  const auto table = ParseMountInfo(mountinfo);
  EXPECT_OK(table.status());
  if (!table.ok()) return out;
  for (const MountInfo& mount : *table) {
    // /dev/null over a file is the container's own with runc, the host's with us.
    const bool mask = mount.root == "/null";
    // The directory of hierarchies can be written to with runc 1.1, whatever the spec says
    // (what it holds cannot): of ours see CgroupIsReadOnly.
    const std::string options =
        mount.mount_point == "/sys/fs/cgroup" ? mount.options.substr(2) : mount.options;
    out.insert(absl::StrCat(mount.mount_point, ": ", mask ? "mask" : mount.fs_type, " ",
                            mask ? "" : options, " ", absl::StrJoin(mount.tags, ",")));
  }
  return out;
}

bool CgroupIsReadOnly(const std::string& mountinfo) {
  const auto table = ParseMountInfo(mountinfo);
  if (!table.ok()) return false;
  for (const MountInfo& mount : *table) {
    if (absl::StartsWith(mount.mount_point, "/sys/fs/cgroup") &&
        !absl::StartsWith(mount.options, "ro")) {
      return false;
    }
  }
  return true;
}

// Which namespaces are the test's own.
std::string SharedNamespaces(const std::string& section) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(section, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> ns = absl::StrSplit(line, ' ');
    char own[256] = {};
    (void)!::readlink(absl::StrCat("/proc/self/ns/", ns.first).c_str(), own, sizeof(own) - 1);
    absl::StrAppend(&out, ns.first, own == ns.second ? " shared\n" : " own\n");
  }
  return out;
}

std::string RunRunc(const TestBundle& bundle, const Json& spec, const std::string& id) {
  Json own = spec;
  own["process"]["terminal"] = false;
  bundle.WriteFile("config.json", own.dump());
  const auto result = RunProcess({.argv = {"/usr/sbin/runc", "--root", bundle.Path("runc"), "run",
                                           "--bundle", bundle.path(), id},
                                  .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}});
  EXPECT_OK(result.status());
  if (!result.ok()) return "";
  EXPECT_EQ(result->exit_code, 0) << result->err;
  return result->out;
}

class RuncParity : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/usr/sbin/runc", X_OK) != 0) GTEST_SKIP() << "runc is not installed";
  }

  void Compare(const Json& spec) {
    const RunResult ours = RunToEnd(bundle_, spec);
    ASSERT_OK(ours.status);
    const std::string id = bundle_.path().substr(bundle_.path().rfind('/') + 1);
    auto a = Sections(ours.out);
    auto b = Sections(RunRunc(bundle_, spec, id));
    EXPECT_EQ(StatusFields(a["status"]), StatusFields(b["status"]));
    EXPECT_EQ(MountFields(a["mounts"]), MountFields(b["mounts"]));
    EXPECT_TRUE(CgroupIsReadOnly(a["mounts"])) << a["mounts"];
    EXPECT_EQ(SharedNamespaces(a["ns"]), SharedNamespaces(b["ns"]));
    for (const char* same : {"limits", "fds", "env", "cwd", "dev", "sys"}) {
      EXPECT_EQ(a[same], b[same]) << same;
    }
  }

  TestBundle bundle_;
};

TEST_F(RuncParity, TheDefaults) { Compare(bundle_.Spec(kLook)); }

TEST_F(RuncParity, NewPrivilegesAndSeccomp) {
  Json spec = bundle_.Spec(kLook);
  spec["process"]["noNewPrivileges"] = false;
  spec["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  Compare(spec);
}

TEST_F(RuncParity, AUserWithGroupsAndAmbientCapabilities) {
  Json spec = bundle_.Spec(kLook);
  spec["process"]["user"] = {
      {"uid", 1000}, {"gid", 1000}, {"additionalGids", {5, 10, 100000}}, {"umask", 027}};
  spec["process"]["cwd"] = "/tmp";
  for (const char* set : {"bounding", "effective", "permitted", "inheritable", "ambient"}) {
    spec["process"]["capabilities"][set] = {"CAP_NET_BIND_SERVICE", "CAP_CHOWN"};
  }
  Compare(spec);
}

TEST_F(RuncParity, LimitsSysctlsScoresAndReadOnlyRoots) {
  Json spec = bundle_.Spec(kLook);
  spec["root"]["readonly"] = true;
  spec["process"]["oomScoreAdj"] = 300;
  spec["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 512}, {"hard", 1000}}};
  spec["linux"]["sysctl"] = {{"net.ipv4.ip_unprivileged_port_start", "80"}};
  Compare(spec);
}

TEST_F(RuncParity, Volumes) {
  bundle_.MakeDir("volume");
  Json spec = bundle_.Spec(kLook);
  const auto bind = [&](const char* where, std::vector<std::string> options) {
    spec["mounts"].push_back({{"type", "bind"},
                              {"source", bundle_.Path("volume")},
                              {"destination", where},
                              {"options", std::move(options)}});
  };
  bind("/plain", {"rbind", "rprivate"});
  bind("/readonly", {"rbind", "rprivate", "ro"});
  bind("/flags", {"bind", "rslave", "nosuid", "nodev", "noexec"});
  bind("/times", {"bind", "private", "noatime"});
  spec["mounts"].push_back({{"type", "tmpfs"},
                            {"source", "tmpfs"},
                            {"destination", "/scratch"},
                            {"options", {"size=64k", "mode=700", "nosuid", "ro"}}});
  Compare(spec);
}

TEST_F(RuncParity, SharedNamespaces) {
  Json spec = bundle_.Spec(kLook);
  shim::RemoveNamespaceFrom(&spec, "network");
  shim::RemoveNamespaceFrom(&spec, "ipc");
  spec["mounts"].erase(4);  // mqueue
  spec["mounts"].erase(4);  // sysfs
  spec["linux"]["maskedPaths"] = Json::array();
  Compare(spec);
}

}  // namespace
}  // namespace crisp::security

// Privileges, users and working directories: no more than the spec gives.
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "shim/launch/test_container.h"
#include "tests/security/attack.h"

namespace crisp::security {
namespace {

using shim::ContainerLaunch;
using shim::ExecFor;
using shim::ExecLaunch;
using shim::RequestFor;
using shim::RunResult;
using shim::RunToEnd;
using shim::TestBundle;
using shim::TestProcess;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

// CVE-2022-29162, CVE-2022-27650, CVE-2022-27652.
TEST(Capabilities, NoneAreInheritableUnlessAskedFor) {
  TestBundle bundle;
  for (const bool root : {true, false}) {
    for (const bool all : {true, false}) {
      Json spec = bundle.Spec("grep Cap /proc/self/status; sleep 100");
      if (!root) spec["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
      if (all) {
        for (const char* set : {"bounding", "effective", "permitted"}) {
          spec["process"]["capabilities"][set].push_back("CAP_SYS_ADMIN");
          spec["process"]["capabilities"][set].push_back("CAP_NET_ADMIN");
        }
      }
      ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
      ASSERT_OK(container->Start());
      const RunResult exec = RunToEnd(ExecFor(*container, spec, "grep Cap /proc/self/status"));
      absl::SleepFor(absl::Milliseconds(300));  // Its own grep has long ended by then.
      container->Kill();
      for (const std::string& out : {container->Output(), exec.out}) {
        EXPECT_THAT(out, HasSubstr("CapInh:\t0000000000000000"));
        EXPECT_THAT(out, HasSubstr("CapAmb:\t0000000000000000"));
        EXPECT_THAT(
            out, HasSubstr(root ? (all ? "CapEff:\t00000000a82435fb" : "CapEff:\t00000000a80425fb")
                                : "CapEff:\t0000000000000000"));
      }
    }
  }
}

// CVE-2024-21626: a working directory behind a descriptor of the host.
TEST(WorkingDirectory, CannotBeBehindADescriptor) {
  TestBundle bundle;
  const UniqueFd host(::open("/", O_RDONLY | O_DIRECTORY));  // As a runtime would leak it.
  Json spec = bundle.Spec("pwd; ls; sleep 100");
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  std::vector<std::string> directories = {"/proc/1/cwd/../../..", "/proc/self/cwd", "/proc/1/root"};
  for (int fd = 0; fd < 256; ++fd) {
    directories.push_back(absl::StrCat("/proc/self/fd/", fd));
    if (fd % 16 == 0) directories.push_back(absl::StrCat("/proc/self/fd/", fd, "/../../.."));
  }
  for (const std::string& directory : directories) {
    Json process = spec;
    process["process"]["cwd"] = directory;
    const RunResult exec = RunToEnd(ExecFor(*container, process, "ls -d /bin/busybox; ls -d home"));
    if (!exec.status.ok()) continue;
    EXPECT_THAT(exec.out, HasSubstr("/bin/busybox\n"));
    EXPECT_THAT(exec.out, HasSubstr("ls: home")) << directory;
  }
  for (const std::string& directory : directories) {
    if (absl::StartsWith(directory, "/proc/self/fd/") && directory.size() > 16) continue;
    Json again = bundle.Spec("ls -d home");
    again["process"]["cwd"] = directory;
    const RunResult result = RunToEnd(bundle, again);
    if (!result.status.ok()) continue;
    EXPECT_THAT(result.out, HasSubstr("ls: home")) << directory;
  }
  // Even a stream that is a directory of the host leads nowhere.
  Json process = spec;
  process["process"]["cwd"] = "/proc/self/fd/0";
  ExecLaunch exec = ExecFor(*container, process, "ls");
  exec.streams.fds[0] = host.get();
  EXPECT_THAT(RunToEnd(exec).status,
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("outside of the container")));
}

TEST(Descriptors, AreTheStreamsAlone) {
  TestBundle bundle;
  const UniqueFd leaked(::open("/etc/hostname", O_RDONLY));  // Without O_CLOEXEC.
  // ls opens the directory as descriptor 3.
  Json spec = bundle.Spec("ls -l /proc/$$/fd | wc -l; ls /proc/self/fd; : > /done; sleep 100");
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  const RunResult exec = RunToEnd(ExecFor(*container, spec, "ls /proc/self/fd"));
  EXPECT_EQ(exec.out, "0\n1\n2\n3\n");
  while (::access(bundle.Path("rootfs/done").c_str(), F_OK) != 0) ::usleep(1000);
  container->Kill();
  EXPECT_THAT(container->Output(), HasSubstr("0\n1\n2\n3\n"));
}

// CVE-2026-30892: one reading of a user for create and exec, and only of numbers.
TEST(Users, AreNumbersInRange) {
  TestBundle bundle;
  const Json running = bundle.Spec("sleep 100");
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, running)));
  ASSERT_OK(container->Start());
  const std::vector<Json> wrong = {"0",
                                   "1000",
                                   "-1",
                                   " 1",
                                   -1,
                                   1.5,
                                   4294967296u * 2.0,
                                   int64_t{4294967296},
                                   "0x0",
                                   true,
                                   Json::array({0}),
                                   "1000abc",
                                   1e3};
  for (const Json& uid : wrong) {
    for (const char* field : {"uid", "gid"}) {
      Json spec = bundle.Spec("id -u");
      spec["process"]["user"][field] = uid;
      EXPECT_THAT(RunToEnd(bundle, spec).status,
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           HasSubstr(absl::StrCat("process.user.", field))))
          << uid;
      EXPECT_THAT(RunToEnd(ExecFor(*container, spec, "id -u")).status,
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           HasSubstr(absl::StrCat("process.user.", field))))
          << uid;
    }
  }
  for (const uint32_t uid : {0u, 1u, 1000u, 65534u, 4294967294u}) {
    TestBundle other;  // The first one's container is still there.
    Json spec = other.Spec("id -u; id -g");
    spec["process"]["user"] = {{"uid", uid}, {"gid", uid}};
    const RunResult created = RunToEnd(other, spec);
    const RunResult execed = RunToEnd(ExecFor(*container, spec, "id -u; id -g"));
    ASSERT_OK(created.status);
    ASSERT_OK(execed.status);
    EXPECT_EQ(created.out, absl::StrCat(uid, "\n", uid, "\n"));
    EXPECT_EQ(execed.out, created.out);
  }
}

// CVE-2021-43784: lengths that do not fit where other runtimes kept them.
TEST(Messages, LargeSpecsAreCarriedOutOrRefused) {
  TestBundle bundle;
  Json spec = bundle.Spec("wc -l < /proc/self/uid_map");
  spec["linux"]["namespaces"].push_back({{"type", "user"}});
  Json maps = Json::array();
  for (int i = 0; i < 250; ++i) {  // The kernel takes a page of them.
    maps.push_back({{"containerID", 2 * i}, {"hostID", i == 0 ? 0 : 100000 + 2 * i}, {"size", 1}});
  }
  spec["linux"]["uidMappings"] = maps;
  spec["linux"]["gidMappings"] = maps;
  for (Json& mount : spec["mounts"]) {
    if (mount["destination"] == "/dev/pts") mount["options"] = {"newinstance", "ptmxmode=0666"};
  }
  RunResult result = RunToEnd(bundle, spec);
  ASSERT_OK(result.status);
  EXPECT_EQ(result.out, "250\n");

  for (int i = 250; i < 6000; ++i) {  // More than 70 KiB of it.
    maps.push_back({{"containerID", 2 * i}, {"hostID", 100000 + 2 * i}, {"size", 1}});
  }
  spec["linux"]["uidMappings"] = maps;
  EXPECT_THAT(std::string(RunToEnd(bundle, spec).status.message()), HasSubstr("id maps: "));

  spec = bundle.Spec("true");
  const std::string path = "/" + std::string(70 << 10, 'a');
  spec["mounts"].push_back({{"type", "tmpfs"}, {"source", "tmpfs"}, {"destination", path}});
  result = RunToEnd(bundle, spec);
  EXPECT_EQ(ErrnoOf(result.status), ENAMETOOLONG);
  spec = bundle.Spec("true");
  spec["process"]["env"].push_back("LARGE=" + std::string(100 << 10, 'b'));
  EXPECT_OK(RunToEnd(bundle, spec).status);
}

}  // namespace
}  // namespace crisp::security

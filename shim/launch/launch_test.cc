// Containers and execs end to end, on the running kernel, with a root of busybox.
#include "shim/launch/launch.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/sys.h"
#include "shim/launch/test_container.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

TEST(Launch, RunsToItsEnd) {
  TestBundle bundle;
  const RunResult result = RunToEnd(bundle, bundle.Spec("echo hello; exit 7"));
  ASSERT_OK(result.status);
  EXPECT_EQ(result.out, "hello\n");
  EXPECT_EQ(result.exit_code, 7);
}

TEST(Launch, WaitsForStart) {
  TestBundle bundle;
  ASSERT_OK_AND_ASSIGN(auto container,
                       TestProcess::Create(RequestFor(bundle, bundle.Spec("touch /ran"))));
  ::usleep(20000);
  EXPECT_NE(::access(bundle.Path("rootfs/ran").c_str(), F_OK), 0);
  ASSERT_OK(container->Start());
  EXPECT_EQ(container->Wait(), 0);
  EXPECT_EQ(::access(bundle.Path("rootfs/ran").c_str(), F_OK), 0);
}

TEST(Launch, IsAContainer) {
  TestBundle bundle;
  const RunResult result =
      RunToEnd(bundle, bundle.Spec("echo pid $$; hostname; cat /proc/self/mountinfo; "
                                   "ls -l /dev; cat /proc/self/status; ls /proc/self/fd"));
  ASSERT_OK(result.status);
  EXPECT_THAT(result.out, HasSubstr("pid 1\ncrisp-test\n"));
  std::cerr << result.out;
}

TEST(Launch, Execs) {
  TestBundle bundle;
  const Json spec = bundle.Spec("sleep 100");
  ASSERT_OK_AND_ASSIGN(auto container, TestProcess::Create(RequestFor(bundle, spec)));
  ASSERT_OK(container->Start());
  const RunResult result =
      RunToEnd(ExecFor(*container, spec, "hostname; cat /proc/1/comm; exit 3"));
  ASSERT_OK(result.status);
  EXPECT_EQ(result.out, "crisp-test\nsleep\n");
  EXPECT_EQ(result.exit_code, 3);
}

}  // namespace
}  // namespace crisp::shim

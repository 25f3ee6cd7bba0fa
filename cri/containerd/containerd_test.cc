// The connection without a daemon, and what it learns from a real one.
#include "cri/containerd/containerd.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "cri/containerd/test_containerd.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(Connect, RefusesAddressesAndNamespacesThatCannotWork) {
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Containerd::Connect("", "k8s.io").status(), invalid);
  EXPECT_THAT(Containerd::Connect("run/containerd.sock", "k8s.io").status(), invalid);
  EXPECT_THAT(Containerd::Connect(absl::StrCat("/", std::string(107, 'x')), "k8s.io").status(),
              invalid);
  for (const char* ns : {"", "a/b", "..", "a b", "-a"}) {
    EXPECT_THAT(Containerd::Connect("/run/x.sock", ns).status(), invalid) << ns;
  }
  ASSERT_OK_AND_ASSIGN(const auto both, Containerd::Connect("unix:///run/x.sock", "k8s.io"));
  EXPECT_EQ(both->socket(), "/run/x.sock");
  EXPECT_EQ(both->ns(), "k8s.io");
}

TEST(Connect, AnAbsentDaemonIsUnavailableAtOnce) {
  ASSERT_OK_AND_ASSIGN(const auto containerd,
                       Containerd::Connect("/run/crisp-no-such-dir/x.sock", "k8s.io"));
  const absl::Time start = absl::Now();
  EXPECT_THAT(containerd->CheckUsable(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_THAT(containerd->WaitReady(absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("x.sock")));
}

TEST(RealContainerd, SaysWhatCrispMustKnow) {
  const std::unique_ptr<TestContainerd> daemon = TestContainerd::Start();
  if (daemon == nullptr) GTEST_SKIP() << TestContainerd::WhyNot();
  const std::unique_ptr<Containerd> containerd = daemon->Connect();
  ASSERT_NE(containerd, nullptr);
  EXPECT_OK(containerd->CheckUsable());
  EXPECT_THAT(containerd->CriPluginEnabled(), IsOkAndHolds(false));
  EXPECT_THAT(containerd->ChooseNamespace(), IsOkAndHolds("k8s.io"));
  ASSERT_OK_AND_ASSIGN(const std::string root, containerd->SnapshotterRoot());
  EXPECT_EQ(root, absl::StrCat(daemon->dir(), "/root/io.containerd.snapshotter.v1.",
                               containerd->snapshotter()));
  EXPECT_THAT(containerd->UseSnapshotter("zfs"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("zfs")));
  EXPECT_OK(containerd->UseSnapshotter("native"));
  EXPECT_THAT(containerd->SnapshotterRoot(), IsOkAndHolds(HasSubstr("native")));
}

}  // namespace
}  // namespace crisp::cri

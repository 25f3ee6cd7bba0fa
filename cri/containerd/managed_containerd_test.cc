// The private daemon's life: served, killed, adopted, reconfigured, stopped.
#include "cri/containerd/managed_containerd.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/event_stream.h"
#include "cri/containerd/lease.h"
#include "cri/containerd/snapshot_store.h"
#include "cri/containerd/test_containerd.h"

namespace crisp::cri {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename Predicate>
bool Eventually(Predicate predicate, absl::Duration timeout = absl::Seconds(30)) {
  const absl::Time deadline = absl::Now() + timeout;
  while (absl::Now() < deadline) {
    if (predicate()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class ManagedContainerdTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestContainerd::WhyNot().empty()) GTEST_SKIP() << TestContainerd::WhyNot();
    daemon_ = TestContainerd::Start();
    ASSERT_NE(daemon_, nullptr);
  }
  std::unique_ptr<TestContainerd> daemon_;
};

TEST_F(ManagedContainerdTest, ServesInPrivate) {
  EXPECT_FALSE(daemon_->managed()->adopted());
  EXPECT_OK(daemon_->managed()->Health());
  const std::string state = daemon_->options().state_dir;
  EXPECT_EQ(ModeOf(daemon_->managed()->socket()), 0600u);
  EXPECT_EQ(ModeOf(absl::StrCat(state, "/containerd.ttrpc.sock")), 0600u);
  EXPECT_EQ(ModeOf(absl::StrCat(state, "/containerd.log")), 0600u);
  EXPECT_EQ(ModeOf(absl::StrCat(state, "/config.toml")), 0600u);
  EXPECT_EQ(ModeOf(state), 0711u);
  EXPECT_EQ(ModeOf(daemon_->options().root_dir), 0700u);
  // A session of its own: a signal to crispd's process group does not reach it.
  EXPECT_EQ(::getsid(daemon_->managed()->pid()), daemon_->managed()->pid());
}

TEST_F(ManagedContainerdTest, OneThatIsKilledComesBack) {
  const std::unique_ptr<Containerd> containerd = daemon_->Connect();
  SnapshotStore snapshots(containerd.get());
  ASSERT_OK_AND_ASSIGN(const Lease lease, Lease::Create(containerd.get()));
  ASSERT_OK(snapshots.Prepare("survivor", "", {}, lease.id()).status());

  for (int round = 1; round <= 2; ++round) {
    const pid_t before = daemon_->managed()->pid();
    ASSERT_EQ(::kill(before, SIGKILL), 0);
    ASSERT_TRUE(Eventually([&] { return daemon_->managed()->restarts() == round; }));
    EXPECT_NE(daemon_->managed()->pid(), before);
    EXPECT_OK(daemon_->managed()->Health());
    EXPECT_EQ(ModeOf(daemon_->managed()->socket()), 0600u);
  }
  // The same connection works again although no call on it waits.
  EXPECT_TRUE(Eventually([&] { return containerd->Version().ok(); }, absl::Seconds(5)));
  EXPECT_OK(snapshots.Stat("survivor").status());
  EXPECT_OK(snapshots.Remove("survivor"));
}

TEST_F(ManagedContainerdTest, ARestartedCrispdAdoptsIt) {
  const pid_t before = daemon_->managed()->pid();
  EXPECT_THAT(ManagedContainerd::Start(daemon_->options()).status(),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("another crispd")));
  daemon_->TakeManaged().reset();
  ASSERT_EQ(::kill(before, 0), 0);

  ASSERT_OK_AND_ASSIGN(auto second, ManagedContainerd::Start(daemon_->options()));
  EXPECT_TRUE(second->adopted());
  EXPECT_EQ(second->pid(), before);

  // The pid file was lost: who listens on the socket tells.
  second.reset();
  ASSERT_EQ(::unlink(absl::StrCat(daemon_->options().state_dir, "/containerd.pid").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(auto third, ManagedContainerd::Start(daemon_->options()));
  EXPECT_TRUE(third->adopted());
  EXPECT_EQ(third->pid(), before);

  // An adopted one is watched like any other.
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return third->restarts() == 1; }));
  EXPECT_NE(third->pid(), before);
  daemon_->GiveManaged(std::move(third));
}

TEST_F(ManagedContainerdTest, APidThatWasReusedIsNotAdopted) {
  const std::string pid_file = absl::StrCat(daemon_->options().state_dir, "/containerd.pid");
  ASSERT_OK_AND_ASSIGN(std::string record, ReadFile(pid_file));
  ASSERT_OK(daemon_->managed()->Stop());
  EXPECT_EQ(::access(pid_file.c_str(), F_OK), -1);
  EXPECT_THAT(daemon_->managed()->Health(), StatusIs(absl::StatusCode::kUnavailable));
  daemon_->TakeManaged().reset();
  // Our own pid, with the start time of the containerd that is gone.
  record = absl::StrCat(::getpid(), record.substr(record.find(' ')));
  ASSERT_OK(WriteFileAtomic(pid_file, record, 0600));
  ASSERT_OK_AND_ASSIGN(auto next, ManagedContainerd::Start(daemon_->options()));
  EXPECT_FALSE(next->adopted());
  EXPECT_NE(next->pid(), ::getpid());
  daemon_->GiveManaged(std::move(next));
}

TEST_F(ManagedContainerdTest, AChangedConfigurationTakesEffect) {
  const pid_t before = daemon_->managed()->pid();
  daemon_->TakeManaged().reset();
  ManagedContainerd::Options options = daemon_->options();
  options.log_level = "error";
  ASSERT_OK_AND_ASSIGN(auto next, ManagedContainerd::Start(options));
  EXPECT_FALSE(next->adopted());
  EXPECT_NE(next->pid(), before);
  daemon_->GiveManaged(std::move(next));
}

TEST_F(ManagedContainerdTest, StopOnExitLeavesNothingRunning) {
  ASSERT_OK(daemon_->managed()->Stop());
  EXPECT_OK(daemon_->managed()->Stop());
  daemon_->TakeManaged().reset();
  ManagedContainerd::Options options = daemon_->options();
  options.stop_on_exit = true;
  ASSERT_OK_AND_ASSIGN(auto next, ManagedContainerd::Start(options));
  const pid_t pid = next->pid();
  next.reset();
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(ManagedContainerdTest, OneThatCannotServeSaysWhy) {
  daemon_->managed()->Stop().IgnoreError();
  daemon_->TakeManaged().reset();
  ManagedContainerd::Options options = daemon_->options();
  options.binary = "/nonexistent/containerd";
  EXPECT_THAT(ManagedContainerd::Start(options).status(),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent/containerd")));
  options.binary = "/bin/false";
  EXPECT_THAT(ManagedContainerd::Start(options).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("exit status 1"), HasSubstr("logged nothing"))));
  options.binary = "/bin/ls";  // Complains about --config on stderr.
  EXPECT_THAT(ManagedContainerd::Start(options).status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("unrecognized option")));

  options.degraded_start = true;
  options.max_backoff = absl::Milliseconds(200);
  ASSERT_OK_AND_ASSIGN(auto degraded, ManagedContainerd::Start(options));
  EXPECT_THAT(degraded->Health(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(degraded->pid(), 0);
}

TEST_F(ManagedContainerdTest, EventsResumeAfterARestart) {
  const std::unique_ptr<Containerd> containerd = daemon_->Connect();
  const std::unique_ptr<Containerd> stranger = daemon_->Connect("crisp-other");
  absl::Mutex mu;
  int subscribed = 0;
  std::vector<std::string> seen;
  EventStream stream(
      containerd.get(), {"topic==\"/snapshot/prepare\""},
      [&](const containerd::types::Envelope& envelope) {
        absl::MutexLock lock(&mu);
        seen.push_back(absl::StrCat(envelope.namespace_(), envelope.topic()));
      },
      [&] {
        absl::MutexLock lock(&mu);
        ++subscribed;
      });
  const auto count = [&](const auto& member) {
    absl::MutexLock lock(&mu);
    return member();
  };
  for (int round = 1; round <= 2; ++round) {
    ASSERT_TRUE(Eventually([&] { return count([&] { return subscribed == round; }); }));
    ASSERT_OK(containerd->WaitReady(absl::Seconds(5)));
    ASSERT_OK(stranger->WaitReady(absl::Seconds(5)));
    ASSERT_OK_AND_ASSIGN(const Lease lease, Lease::Create(containerd.get()));
    ASSERT_OK_AND_ASSIGN(const Lease other, Lease::Create(stranger.get()));
    const std::string key = absl::StrCat("snapshot-", round);
    ASSERT_OK(SnapshotStore(stranger.get()).Prepare(key, "", {}, other.id()).status());
    ASSERT_OK(SnapshotStore(containerd.get()).Prepare(key, "", {}, lease.id()).status());
    ASSERT_TRUE(
        Eventually([&] { return count([&] { return static_cast<int>(seen.size()) == round; }); }));
    if (round == 1) {
      ASSERT_EQ(::kill(daemon_->managed()->pid(), SIGKILL), 0);
    }
  }
  absl::MutexLock lock(&mu);
  EXPECT_THAT(seen,
              testing::ElementsAre("crisp-test/snapshot/prepare", "crisp-test/snapshot/prepare"));
}

}  // namespace
}  // namespace crisp::cri

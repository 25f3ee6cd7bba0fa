// A real containerd for tests: private, under a short temporary directory, ended and
// swept away with the object.
//
//   std::unique_ptr<TestContainerd> daemon = TestContainerd::Start();
//   if (daemon == nullptr) GTEST_SKIP() << TestContainerd::WhyNot();
//
// Ownership: owns the daemon, its directories and whatever is mounted below them.
// Threads:   for one thread, as a fixture is.
#ifndef CRISP_CRI_CONTAINERD_TEST_CONTAINERD_H_
#define CRISP_CRI_CONTAINERD_TEST_CONTAINERD_H_

#include <memory>
#include <string>
#include <utility>

#include "cri/containerd/containerd.h"
#include "cri/containerd/managed_containerd.h"

namespace crisp::cri {

class TestContainerd {
 public:
  // Why this machine cannot run one; empty if it can.
  static std::string WhyNot();

  // Null, with the test failed, if containerd does not start; null also if
  // WhyNot() says so.
  static std::unique_ptr<TestContainerd> Start();
  ~TestContainerd();

  // Options for its directories, for tests that manage the daemon themselves.
  ManagedContainerd::Options options() const;
  ManagedContainerd* managed() { return managed_.get(); }
  // Leaves the daemon running and hands its manager over.
  std::unique_ptr<ManagedContainerd> TakeManaged() { return std::move(managed_); }
  void GiveManaged(std::unique_ptr<ManagedContainerd> managed) { managed_ = std::move(managed); }

  // A connection, with a snapshotter chosen that works here.
  std::unique_ptr<Containerd> Connect(const std::string& ns = "crisp-test");

  // A directory of the test's own below the daemon's.
  const std::string& dir() const { return dir_; }

 private:
  explicit TestContainerd(std::string dir) : dir_(std::move(dir)) {}

  const std::string dir_;
  std::unique_ptr<ManagedContainerd> managed_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_TEST_CONTAINERD_H_

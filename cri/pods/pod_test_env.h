// A node in a temporary directory for tests of the core: real records and volumes,
// a fake driver, a fake network.
#ifndef CRISP_CRI_PODS_POD_TEST_ENV_H_
#define CRISP_CRI_PODS_POD_TEST_ENV_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "cri/pods/pod_context.h"
#include "cri/task/fake_task_driver.h"
#include "netns/pod_network.h"
#include "volumes/object_store.h"
#include "volumes/pod_volumes.h"

namespace crisp::cri {

class FakePodNetwork : public netns::PodNetwork {
 public:
  absl::StatusOr<netns::PodNetworkResult> Attach(const netns::PodAttachment& pod) override {
    calls.push_back("Attach " + pod.sandbox_id);
    if (!attach_result.ok()) return attach_result;
    return netns::PodNetworkResult{{"10.0.0.2", "fd00::2"}, "{}"};
  }
  absl::Status Release(const netns::PodAttachment& pod) override {
    calls.push_back("Release " + pod.sandbox_id);
    return release_result;
  }
  absl::Status Check(const netns::PodAttachment&) override { return absl::OkStatus(); }
  absl::Status Ready() override { return absl::OkStatus(); }
  absl::Status CollectGarbage(const std::vector<std::string>&) override { return absl::OkStatus(); }
  std::string Describe() override { return "{}"; }
  absl::Status RemoveBuiltin() override { return absl::OkStatus(); }

  std::vector<std::string> calls;
  absl::Status attach_result;
  absl::Status release_result;
};

class PodTestEnv : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = ::testing::TempDir() + "/pods-" + RandomHex(8);
    ASSERT_OK(MakeDirs(base_ + "/pods", 0700));
    auto objects = volumes::ObjectStore::Open(base_ + "/objects", &clock_);
    ASSERT_OK(objects);
    objects_ = *std::move(objects);
    volumes::PodVolumes::Options options;
    options.pods_dir = base_ + "/pods";
    options.objects = objects_.get();
    options.clock = &clock_;
    volumes_ = std::make_unique<volumes::PodVolumes>(std::move(options));
    driver_ = std::make_shared<FakeTaskDriver>();
    handlers_.Add("", driver_);
    handlers_.Add("runc", driver_);
    seccomp_ = std::make_unique<SeccompProfiles>(context_.host);
    context_.pods_dir = base_ + "/pods";
    context_.netns_dir = base_ + "/netns";
    context_.pause_rootfs = base_ + "/pause";
    context_.cgroup_parent = "/crisp-unit-test";
    context_.boot_id = "boot-1";
    context_.node_name = "node";
    context_.clock = &clock_;
    context_.pods = &pods_;
    context_.handlers = &handlers_;
    context_.seccomp = seccomp_.get();
    context_.network = &network_;
    context_.volumes = volumes_.get();
  }
  void TearDown() override { EXPECT_OK(RemoveTree(base_)); }

  // On the host's network and IPC: nothing of it needs root.
  static runtime::v1::PodSandboxConfig PodConfig(const std::string& name) {
    runtime::v1::PodSandboxConfig config;
    config.mutable_metadata()->set_name(name);
    config.mutable_metadata()->set_namespace_("default");
    config.mutable_metadata()->set_uid(name + "-uid");
    auto* namespaces =
        config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
    namespaces->set_network(runtime::v1::NODE);
    namespaces->set_ipc(runtime::v1::NODE);
    // No filter: the tests' host facts know of no seccomp.
    config.mutable_linux()->mutable_security_context()->mutable_seccomp()->set_profile_type(
        runtime::v1::SecurityProfile::Unconfined);
    return config;
  }

  std::string base_;
  FakeClock clock_;
  PodStore pods_;
  std::unique_ptr<volumes::ObjectStore> objects_;
  std::unique_ptr<volumes::PodVolumes> volumes_;
  std::shared_ptr<FakeTaskDriver> driver_;
  RuntimeHandlers handlers_;
  std::unique_ptr<SeccompProfiles> seccomp_;
  FakePodNetwork network_;
  PodContext context_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_TEST_ENV_H_

// For tests: a ready pod with a directory of its own, which goes with the test.
#ifndef CRISP_CRI_CONTAINERS_ONE_POD_TEST_ENV_H_
#define CRISP_CRI_CONTAINERS_ONE_POD_TEST_ENV_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "cri/pods/pod.h"

namespace crisp::cri {

class OnePodTestEnv : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/pod-" + RandomHex(8);
    ASSERT_OK(MakeDirs(directory_ + "/containers", 0700));
    state::v1::PodRecord record;
    record.set_id("pod");
    record.set_started(true);
    record.mutable_config()->mutable_metadata()->set_uid("uid");
    pod_ = std::make_shared<Pod>(directory_, "boot", record);
  }
  void TearDown() override { EXPECT_OK(RemoveTree(directory_)); }

  std::string directory_;
  std::shared_ptr<Pod> pod_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_ONE_POD_TEST_ENV_H_

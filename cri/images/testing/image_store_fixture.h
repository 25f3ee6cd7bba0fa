// A fixture with a real containerd for the test suite, and per test an image
// store in a namespace of its own.
#ifndef CRISP_CRI_IMAGES_TESTING_IMAGE_STORE_FIXTURE_H_
#define CRISP_CRI_IMAGES_TESTING_IMAGE_STORE_FIXTURE_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_matchers.h"
#include "cri/containerd/test_containerd.h"
#include "cri/images/image_store.h"

namespace crisp::cri {

class ImageStoreFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (TestContainerd::WhyNot().empty()) daemon_ = TestContainerd::Start().release();
  }
  static void TearDownTestSuite() {
    delete daemon_;
    daemon_ = nullptr;
  }

  void SetUp() override {
    if (!TestContainerd::WhyNot().empty()) GTEST_SKIP() << TestContainerd::WhyNot();
    ASSERT_NE(daemon_, nullptr);
    static std::atomic<int> number{0};
    ns_ = absl::StrCat("images-", ++number);
    containerd_ = daemon_->Connect(ns_);
    ASSERT_NE(containerd_, nullptr);
    certs_dir_ = absl::StrCat(daemon_->dir(), "/certs-", ns_);
    MakeStore();
  }

  // The daemon insists on leaving without mounts and namespaces without content.
  void TearDown() override {
    if (store_ == nullptr) return;
    for (const Image& image : store_->List()) EXPECT_OK(store_->Remove(image.id));
  }

  void MakeStore() {
    ImageStoreOptions options;
    options.certs_dirs = {certs_dir_};
    options.no_progress_timeout = no_progress_timeout_;
    options.pinned = {"registry.example/pinned"};
    store_.reset();
    store_ = std::make_unique<ImageStore>(containerd_.get(), Clock::Real(), options);
    ASSERT_OK(store_->Load());
  }

  void WriteHosts(const std::string& registry, const std::string& text) {
    const std::string dir = absl::StrCat(certs_dir_, "/", registry);
    ASSERT_OK(MakeDirs(dir, 0755));
    ASSERT_OK(WriteFileAtomic(absl::StrCat(dir, "/hosts.toml"), text, 0644));
  }

  absl::StatusOr<std::string> Pull(const std::string& ref, const Credentials& credentials = {}) {
    return store_->Pull(ref, credentials, nullptr);
  }

  // Digests of everything that the namespace's content store holds.
  std::vector<std::string> Blobs() {
    namespace api = containerd::services::content::v1;
    const auto context = containerd_->Context();
    const auto stream = containerd_->content().List(context.get(), api::ListContentRequest());
    api::ListContentResponse response;
    std::vector<std::string> out;
    while (stream->Read(&response)) {
      for (const auto& info : response.info()) out.push_back(info.digest());
    }
    EXPECT_TRUE(stream->Finish().ok());
    return out;
  }
  // Writes that began and were neither committed nor aborted.
  int PartialWrites() {
    namespace api = containerd::services::content::v1;
    api::ListStatusesResponse response;
    EXPECT_TRUE(
        containerd_->content()
            .ListStatuses(containerd_->Context().get(), api::ListStatusesRequest(), &response)
            .ok());
    return response.statuses_size();
  }
  size_t Snapshots() {
    SnapshotStore snapshots(containerd_.get());
    const auto all = snapshots.List();
    EXPECT_OK(all.status());
    return all.ok() ? all->size() : 0;
  }

  inline static TestContainerd* daemon_ = nullptr;
  absl::Duration no_progress_timeout_ = absl::Minutes(5);
  std::string ns_, certs_dir_;
  std::unique_ptr<Containerd> containerd_;
  std::unique_ptr<ImageStore> store_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_TESTING_IMAGE_STORE_FIXTURE_H_

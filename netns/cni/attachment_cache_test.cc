#include "netns/cni/attachment_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "netns/testing/fake_plugin.h"

namespace crisp::netns {
namespace {

using nlohmann::json;
using testing::IsEmpty;
using testing::SizeIs;

class AttachmentCacheTest : public testing::Test {
 protected:
  static CachedAttachment Attachment(const std::string& id) {
    return {.container_id = id,
            .interface_name = "eth0",
            .network = "my-net",
            .netns_path = "/run/netns/x",
            .config = R"({"name": "my-net"})",
            .cni_args = {{"IgnoreUnknown", "1"}},
            .capability_args = {{"dns", json::object()}}};
  }
  std::string dir_ = FreshDir("cache");
  AttachmentCache cache_{dir_};
};

TEST_F(AttachmentCacheTest, AnAttemptBecomesAResultAndGoesAway) {
  EXPECT_THAT(*cache_.Find("abc"), IsEmpty());
  CachedAttachment attachment = Attachment("abc");
  ASSERT_OK(cache_.WriteAttempt(attachment));
  ASSERT_OK_AND_ASSIGN(auto found, cache_.Find("abc"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].result.is_null());
  attachment.result = {{"cniVersion", "1.0.0"}};
  ASSERT_OK(cache_.WriteResult(attachment));
  ASSERT_OK_AND_ASSIGN(found, cache_.Find("abc"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].result, attachment.result);
  EXPECT_EQ(found[0].config, attachment.config);
  EXPECT_EQ(found[0].cni_args, attachment.cni_args);
  EXPECT_EQ(found[0].capability_args, attachment.capability_args);
  EXPECT_TRUE(found[0].ours);
  EXPECT_OK(cache_.Remove(attachment));
  EXPECT_OK(cache_.Remove(attachment));
  EXPECT_THAT(*cache_.List(), IsEmpty());
}

// The layout that libcni, and so other runtimes' tools, read.
TEST_F(AttachmentCacheTest, WritesLibcnisForm) {
  CachedAttachment attachment = Attachment("abc");
  attachment.result = json::object();
  ASSERT_OK(cache_.WriteResult(attachment));
  const std::string path = dir_ + "/my-net-abc-eth0";
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(path));
  const json file = json::parse(text);
  EXPECT_EQ(file["kind"], "cniCacheV1");
  EXPECT_EQ(file["containerId"], "abc");
  EXPECT_EQ(file["networkName"], "my-net");
  EXPECT_EQ(file["ifName"], "eth0");
  EXPECT_EQ(file["config"], "eyJuYW1lIjogIm15LW5ldCJ9");
  EXPECT_EQ(file["cniArgs"], json::parse(R"([["IgnoreUnknown", "1"]])"));
  struct stat st;
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
}

TEST_F(AttachmentCacheTest, AnIdThatEndsLikeAnotherIsAnother) {
  ASSERT_OK(cache_.WriteAttempt(Attachment("a-b")));
  EXPECT_THAT(*cache_.Find("b"), IsEmpty());
}

TEST_F(AttachmentCacheTest, ADamagedFileStillTellsItsName) {
  ASSERT_OK(WriteFileAtomic(dir_ + "/my-net-abc-eth0", "{\"kind\": \"cni", 0600));
  ASSERT_OK_AND_ASSIGN(const auto found, cache_.Find("abc"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_FALSE(found[0].unreadable.ok());
  EXPECT_EQ(found[0].network, "my-net");
}

TEST_F(AttachmentCacheTest, AnIntactAttemptStandsInForADamagedResult) {
  ASSERT_OK(cache_.WriteAttempt(Attachment("abc")));
  ASSERT_OK(WriteFileAtomic(dir_ + "/my-net-abc-eth0", "", 0600));
  ASSERT_OK_AND_ASSIGN(const auto found, cache_.Find("abc"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_OK(found[0].unreadable);
}

TEST_F(AttachmentCacheTest, KnowsWhatAnotherRuntimeWrote) {
  ASSERT_OK(WriteFileAtomic(
      dir_ + "/n-abc-eth0",
      R"({"kind": "cniCacheV1", "containerId": "abc", "networkName": "n", "ifName": "eth0"})",
      0600));
  ASSERT_OK_AND_ASSIGN(const auto all, cache_.List());
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_FALSE(all[0].ours);
}

}  // namespace
}  // namespace crisp::netns

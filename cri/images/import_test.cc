// Archives of images, imported into a real containerd.
#include "cri/images/import/archive_reader.h"
#include "cri/images/import/tar_writer.h"
#include "cri/images/platform.h"
#include "cri/images/testing/image_store_fixture.h"
#include "cri/images/testing/test_image.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ImportTest : public ImageStoreFixture {
 protected:
  absl::StatusOr<std::vector<Image>> Import(const std::string& bytes,
                                            const std::string& name = "") {
    StringArchive archive(bytes);
    return store_->Import(archive, name);
  }
  void ExpectNothingKept() {
    EXPECT_THAT(store_->List(), IsEmpty());
    EXPECT_THAT(Blobs(), IsEmpty());
    EXPECT_EQ(Snapshots(), 0u);
    EXPECT_EQ(PartialWrites(), 0);
  }
};

TEST_F(ImportTest, AnOciLayout) {
  const TestImage image = MakeImage({.layers = {"oci-a", "oci-b"}});
  ASSERT_OK_AND_ASSIGN(const auto images,
                       Import(OciArchive(image, "docker.io/library/imported:v1")));
  ASSERT_THAT(images, SizeIs(1));
  EXPECT_EQ(images[0].id, image.config_digest);
  EXPECT_THAT(images[0].repo_tags, ElementsAre("docker.io/library/imported:v1"));
  EXPECT_OK(store_->Resolve("imported:v1").status());
  ASSERT_OK_AND_ASSIGN(const auto mounts, store_->PrepareSnapshot(images[0], "imported-1"));
  EXPECT_THAT(mounts, SizeIs(1));
  EXPECT_OK(store_->RemoveSnapshot("imported-1"));
  // Again: everything is there already.
  EXPECT_OK(Import(OciArchive(image, "docker.io/library/imported:v1")).status());
}

TEST_F(ImportTest, AMultiPlatformLayout) {
  const TestImage ours = MakeImage({.layers = {"multi-a"}});
  const TestImage index = MakeIndex({{ours, HostPlatform().architecture}});
  ASSERT_OK_AND_ASSIGN(const auto images, Import(OciArchive(index, "example.com/multi:v1")));
  ASSERT_THAT(images, SizeIs(1));
  EXPECT_EQ(images[0].id, ours.config_digest);
  EXPECT_THAT(images[0].repo_digests, ElementsAre("example.com/multi@" + index.digest));
}

TEST_F(ImportTest, WhatDockerSaves) {
  for (const bool gzip : {false, true}) {
    const TestImage image = MakeImage({.gzip = gzip, .layers = {"saved-a", gzip ? "gz" : "tar"}});
    ASSERT_OK_AND_ASSIGN(const auto images, Import(DockerArchive(image, "saved:v1")));
    ASSERT_THAT(images, SizeIs(1));
    EXPECT_EQ(images[0].id, image.config_digest);
    EXPECT_THAT(images[0].repo_tags, ElementsAre("docker.io/library/saved:v1"));
  }
}

TEST_F(ImportTest, TheCallerNamesTheNameless) {
  const TestImage image = MakeImage({.layers = {"nameless-a"}});
  ASSERT_OK_AND_ASSIGN(auto images, Import(DockerArchive(image, ""), "given"));
  EXPECT_THAT(images[0].repo_tags, ElementsAre("docker.io/library/given:latest"));
  ASSERT_OK_AND_ASSIGN(images, Import(OciArchive(image, "named:v1"), "ignored"));
  EXPECT_THAT(store_->Resolve("ignored"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(store_->Resolve("named:v1").status());
  ASSERT_OK(store_->Remove(image.config_digest));
  ASSERT_OK_AND_ASSIGN(images, Import(OciArchive(image, "")));
  EXPECT_THAT(images[0].repo_tags, IsEmpty());
  EXPECT_OK(store_->Resolve(image.config_digest).status());
}

TEST_F(ImportTest, BadArchivesAreRefusedAndNothingIsKept) {
  const TestImage image = MakeImage({.layers = {"bad-a"}, .with_busybox = false});
  const std::string good = OciArchive(image, "bad:v1");
  const absl::StatusCode kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(Import(""), StatusIs(kBad));
  EXPECT_THAT(Import(std::string(4096, 'x')), StatusIs(kBad, HasSubstr("tar")));
  EXPECT_THAT(Import(good.substr(0, good.size() / 2)), StatusIs(kBad));
  TarWriter unrelated;
  unrelated.File("hello", "world");
  EXPECT_THAT(Import(unrelated.Finish()), StatusIs(kBad, HasSubstr("index.json")));
  // A blob that is not what its name says.
  TestImage damaged = image;
  damaged.blobs[image.layer_digests[0]][20] ^= 1;
  EXPECT_THAT(Import(OciArchive(damaged, "bad:v1")), StatusIs(kBad, HasSubstr("damaged")));
  // A document that is missing.
  TestImage partial = image;
  partial.blobs.erase(image.config_digest);
  EXPECT_THAT(Import(OciArchive(partial, "bad:v1")), StatusIs(kBad));
  // Names that try to climb out do not count as files.
  TarWriter climbing;
  climbing.File("../../index.json", "{}");
  climbing.File("/manifest.json", "[]");
  climbing.Symlink("layer.tar", "../../../../etc/passwd");
  EXPECT_THAT(Import(climbing.Finish()), StatusIs(kBad, HasSubstr("index.json")));
  TarWriter linked;
  linked.Symlink("layer.tar", "../../../etc/passwd");
  linked.Symlink("loop", "loop");
  linked.File("c.json", image.blobs.at(image.config_digest));
  linked.File("manifest.json", R"([{"Config":"c.json","Layers":["layer.tar"]}])");
  EXPECT_THAT(Import(linked.Finish()), StatusIs(kBad, HasSubstr("layer.tar")));
  EXPECT_THAT(Import(good, "Bad Name"), StatusIs(kBad));
  ExpectNothingKept();
}

}  // namespace
}  // namespace crisp::cri

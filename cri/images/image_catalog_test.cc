#include "cri/images/image_catalog.h"

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Id(const std::string& start) {
  return absl::StrCat("sha256:", start, std::string(64 - start.size(), '0'));
}

ImageContent Content(const std::string& id_start) {
  ImageContent out;
  out.config.id = Id(id_start);
  out.config.user = "1000:1";
  out.manifest_descriptor.size = 10;
  out.manifest.config.size = 5;
  return out;
}

TEST(ImageCatalogTest, FindsByEveryKindOfReference) {
  ImageCatalog catalog;
  const std::string by_digest = absl::StrCat("docker.io/library/a@", Id("dd"));
  catalog.Put(Content("abc1"), "docker.io/library/a:latest", false);
  catalog.Put(Content("abc1"), by_digest, false);
  catalog.Put(Content("abc1"), Id("abc1"), false);
  for (const std::string& ref :
       {std::string("a"), std::string("docker.io/library/a:latest"), by_digest,
        absl::StrCat("a:ignored@", Id("dd")), Id("abc1"), Id("abc1").substr(7), std::string("abc"),
        std::string("sha256:abc1")}) {
    ASSERT_OK_AND_ASSIGN(const Image image, catalog.Resolve(ref));
    EXPECT_EQ(image.id, Id("abc1")) << ref;
    EXPECT_THAT(image.repo_tags, ElementsAre("docker.io/library/a:latest"));
    EXPECT_THAT(image.repo_digests, ElementsAre(by_digest));
    EXPECT_EQ(image.size, 15u);
    EXPECT_EQ(image.uid, 1000);
  }
  EXPECT_THAT(catalog.Resolve("b"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(catalog.Resolve("ab"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(catalog.Resolve("fff"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(catalog.Resolve("//"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(catalog.Resolve(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ImageCatalogTest, RefusesAnAmbiguousBeginning) {
  ImageCatalog catalog;
  catalog.Put(Content("abc1"), Id("abc1"), false);
  catalog.Put(Content("abc2"), Id("abc2"), false);
  EXPECT_THAT(catalog.Resolve("abc"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_OK(catalog.Resolve("abc2"));
}

TEST(ImageCatalogTest, ATagMovesToTheNewImage) {
  ImageCatalog catalog;
  catalog.Put(Content("a111"), "docker.io/library/a:latest", false);
  catalog.Put(Content("a111"), Id("a111"), false);
  catalog.Put(Content("b222"), "docker.io/library/a:latest", true);
  ASSERT_OK_AND_ASSIGN(const Image moved, catalog.Resolve("a"));
  EXPECT_EQ(moved.id, Id("b222"));
  EXPECT_TRUE(moved.pinned);
  ASSERT_OK_AND_ASSIGN(const Image old, catalog.Resolve("a111"));
  EXPECT_THAT(old.repo_tags, IsEmpty());
}

TEST(ImageCatalogTest, RemovesAnImageWithAllItsNames) {
  ImageCatalog catalog;
  catalog.Put(Content("a111"), "docker.io/library/a:1", false);
  catalog.Put(Content("a111"), "docker.io/library/a:2", false);
  EXPECT_THAT(catalog.Names(Id("a111")),
              UnorderedElementsAre("docker.io/library/a:1", "docker.io/library/a:2"));
  catalog.Remove(Id("a111"));
  EXPECT_THAT(catalog.List(), IsEmpty());
  EXPECT_THAT(catalog.Resolve("a:1"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace crisp::cri

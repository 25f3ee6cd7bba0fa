#include "cri/images/reference.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;

TEST(ReferenceTest, NormalisesWhatPeopleWrite) {
  const struct {
    std::string text, full;
  } kCases[] = {
      {"busybox", "docker.io/library/busybox:latest"},
      {"busybox:1.36", "docker.io/library/busybox:1.36"},
      {"user/app", "docker.io/user/app:latest"},
      {"docker.io/busybox", "docker.io/library/busybox:latest"},
      {"index.docker.io/library/busybox", "docker.io/library/busybox:latest"},
      {"registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"},
      {"localhost/a", "localhost/a:latest"},
      {"localhost:5000/a/b:t", "localhost:5000/a/b:t"},
      {"host:5000/a", "host:5000/a:latest"},
      {"[::1]:5000/a", "[::1]:5000/a:latest"},
      {"UPPER/a", "UPPER/a:latest"},
      {"a/b@" + kDigest, "docker.io/a/b@" + kDigest},
      {"a:tag@" + kDigest, "docker.io/library/a@" + kDigest},
      {"a__b-c--d.e:V_1.2-x", "docker.io/library/a__b-c--d.e:V_1.2-x"},
      {"sha256:abc", "docker.io/library/sha256:abc"},
  };
  for (const auto& c : kCases) {
    ASSERT_OK_AND_ASSIGN(const Reference ref, ParseReference(c.text));
    EXPECT_EQ(ref.ToString(), c.full) << c.text;
  }
}

TEST(ReferenceTest, RefusesWhatIsNoName) {
  for (const std::string& text : {std::string(),
                                  std::string("Busybox"),
                                  std::string("a//b"),
                                  std::string("/a"),
                                  std::string("a/"),
                                  std::string("a:"),
                                  std::string("a:-x"),
                                  std::string("a..b"),
                                  std::string("a___b"),
                                  std::string("../etc"),
                                  std::string("a/../b"),
                                  std::string("a b"),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3),
                                  "a@" + kHex,
                                  std::string("a@sha256:abc"),
                                  "a@sha512:" + kHex,
                                  "a@" + kDigest + "@" + kDigest,
                                  kHex,
                                  kDigest,
                                  std::string("host:99999/a"),
                                  std::string("-host.x/a"),
                                  "a:" + std::string(129, 't'),
                                  std::string(300, 'n'),
                                  std::string("a_"),
                                  std::string("é")}) {
    EXPECT_THAT(ParseReference(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
  EXPECT_THAT(ParseReference(kDigest),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image id")));
}

TEST(ReferenceTest, TellsIdsFromNames) {
  EXPECT_TRUE(IsImageId(kHex));
  EXPECT_TRUE(IsImageId(kDigest));
  EXPECT_FALSE(IsImageId(kHex + "a"));
  EXPECT_FALSE(IsImageId(std::string(64, 'A')));
  EXPECT_TRUE(IsImageIdPrefix("abc"));
  EXPECT_TRUE(IsImageIdPrefix("sha256:abc"));
  EXPECT_FALSE(IsImageIdPrefix("ab"));
  EXPECT_FALSE(IsImageIdPrefix("xyz"));
}

TEST(ReferenceTest, DockerHubIsServedElsewhere) {
  EXPECT_EQ(RegistryHost("docker.io"), "registry-1.docker.io");
  EXPECT_EQ(RegistryHost("localhost:5000"), "localhost:5000");
}

}  // namespace
}  // namespace crisp::cri

#include "cri/images/manifest.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_matchers.h"
#include "cri/images/media_types.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

std::string Digest(char c) { return absl::StrCat("sha256:", std::string(64, c)); }

std::string Manifest() {
  return absl::StrCat(
      R"({"schemaVersion":2,"mediaType":")", kOciManifest, R"(","config":{"mediaType":")",
      kOciConfig, R"(","digest":")", Digest('c'),
      R"(","size":7},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")",
      Digest('1'), R"(","size":100}]})");
}

std::string Index(const std::string& entries) {
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[)", entries, "]}");
}

std::string Entry(char digest, const std::string& os, const std::string& arch) {
  return absl::StrCat(R"({"mediaType":")", kOciManifest, R"(","size":5,"digest":")", Digest(digest),
                      R"(","platform":{"os":")", os, R"(","architecture":")", arch, R"("}})");
}

std::string Replace(const std::string& text, const std::string& from, const std::string& to) {
  const std::string out = absl::StrReplaceAll(text, {{from, to}});
  EXPECT_NE(out, text) << from;
  return out;
}

TEST(ManifestTest, ReadsAManifest) {
  ASSERT_OK_AND_ASSIGN(const ImageDocument document, ParseImageDocument(Manifest(), kOciManifest));
  const auto& manifest = std::get<ImageManifest>(document);
  EXPECT_EQ(manifest.media_type, kOciManifest);
  EXPECT_EQ(manifest.config.digest, Digest('c'));
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].size, 100);
  EXPECT_EQ(manifest.ContentSize(), 107);
}

TEST(ManifestTest, RefusesTypeConfusion) {
  const absl::StatusCode kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(ParseImageDocument(Manifest(), kOciIndex), StatusIs(kBad, HasSubstr("announced")));
  EXPECT_THAT(ParseImageDocument(Index(Entry('a', "linux", "amd64")), kDockerManifest),
              StatusIs(kBad, HasSubstr("announced")));
  EXPECT_THAT(ParseImageDocument(Replace(Manifest(), R"("layers")", R"("manifests":[],"layers")"),
                                 kOciManifest),
              StatusIs(kBad, HasSubstr("ambiguous")));
  EXPECT_THAT(ParseImageDocument(Replace(Manifest(), kOciManifest, kOciIndex), ""),
              StatusIs(kBad, HasSubstr("announced")));
}

TEST(ManifestTest, RefusesMalformedDocuments) {
  const std::string good = Manifest();
  for (const std::string& text : {
           std::string(""),
           std::string("[]"),
           std::string("{}"),
           std::string("null"),
           Replace(good, R"("schemaVersion":2)", R"("schemaVersion":1)"),
           Replace(good, R"("size":100)", R"("size":-1)"),
           Replace(good, R"("size":100)", R"("size":"100")"),
           Replace(good, R"("size":100)", R"("size":1.5)"),
           Replace(good, R"("size":100)", R"("size":18446744073709551615)"),
           Replace(good, Digest('1'), "sha256:11"),
           Replace(good, Digest('1'), absl::StrCat("sha512:", std::string(64, '1'))),
           Replace(good, Digest('1'), absl::StrCat("sha256:", std::string(64, 'A'))),
           Replace(good, R"("layers":[)", R"("layers":{},"x":[)"),
           Replace(good, "layer.v1.tar+gzip", "layer.v1.tar+encrypted"),
           Replace(good, kOciConfig, "application/vnd.cncf.helm.config.v1+json"),
           Replace(good, R"("config":{)", R"("config":7,"x":{)"),
           std::string(R"({"schemaVersion":2,"fsLayers":[],"config":{}})"),
           Replace(good, "sha256:c", "sha256:\\u0000"),
       }) {
    EXPECT_THAT(ParseImageDocument(text, ""), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(ManifestTest, RefusesMoreThanItsBound) {
  const std::string big =
      Replace(Manifest(), R"("layers")",
              absl::StrCat(R"("x":")", std::string(9 << 20, 'x'), R"(","layers")"));
  EXPECT_THAT(ParseImageDocument(big, ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most")));
  std::string deep(200'000, '[');
  EXPECT_THAT(ParseImageDocument(deep, ""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ManifestTest, ChoosesThePlatform) {
  const Platform amd64{"linux", "amd64", ""};
  ASSERT_OK_AND_ASSIGN(const ImageIndex index,
                       ParseImageIndex(Index(absl::StrCat(
                           Entry('1', "unknown", "unknown"), ",", Entry('2', "linux", "arm64"), ",",
                           Entry('3', "linux", "386"), ",", Entry('4', "linux", "amd64"), ",",
                           Entry('5', "linux", "amd64")))));
  ASSERT_OK_AND_ASSIGN(const Descriptor chosen, ChooseManifest(index, amd64));
  EXPECT_EQ(chosen.digest, Digest('4'));
  ASSERT_OK_AND_ASSIGN(const Descriptor arm, ChooseManifest(index, {"linux", "arm64", ""}));
  EXPECT_EQ(arm.digest, Digest('2'));
  EXPECT_THAT(ChooseManifest(index, {"linux", "riscv64", ""}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("linux/arm64")));
}

}  // namespace
}  // namespace crisp::cri

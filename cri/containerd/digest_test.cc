#include "cri/containerd/digest.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

TEST(Digest, IsSha256AsOciSpellsIt) {
  EXPECT_EQ(Sha256Digest(""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_OK(ValidateDigest(Sha256Digest("x")));
}

TEST(Digest, RefusesOtherForms) {
  const std::string good = Sha256Digest("x");
  std::string upper = good;
  upper[10] = 'A';
  for (const std::string& bad : {std::string(), std::string("sha256:"), good.substr(7), good + "0",
                                 good.substr(0, good.size() - 1), upper, "sha512:" + good.substr(7),
                                 "sha256:../" + good.substr(10)}) {
    EXPECT_THAT(ValidateDigest(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

// The expected values were computed by an independent implementation.
TEST(Digest, ChainIdsHashTheParentAndTheLayer) {
  const std::string a = Sha256Digest("a"), b = Sha256Digest("b"), c = Sha256Digest("c");
  EXPECT_THAT(ChainIds({a, b, c}),
              testing::ElementsAre(
                  a, "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676",
                  "sha256:2fce7f8ce91bcf0a1428b36e1024639fdbd9469eea762dba98aa749631885106"));
  EXPECT_EQ(ChainId({a, b}),
            "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
  EXPECT_EQ(ChainId({a}), a);
  EXPECT_EQ(ChainId({}), "");
}

}  // namespace
}  // namespace crisp::cri

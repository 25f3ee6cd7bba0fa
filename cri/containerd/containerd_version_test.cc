#include "cri/containerd/containerd_version.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

TEST(ContainerdVersion, ReadsWhatDistributionsShip) {
  for (const char* text : {"1.6.20~ds1", "v1.6.20", "1.6.20", "1.6.20+unknown", "v1.6.20-rc.1"}) {
    ASSERT_OK_AND_ASSIGN(const ContainerdVersion version, ParseContainerdVersion(text));
    EXPECT_EQ(version.major, 1) << text;
    EXPECT_EQ(version.minor, 6) << text;
    EXPECT_EQ(version.patch, 20) << text;
  }
  EXPECT_EQ(ParseContainerdVersion("1.6.20~ds1")->suffix, "~ds1");
}

TEST(ContainerdVersion, RefusesWhatIsNoVersion) {
  for (const char* text : {"", "v", "1", "1.6", "1.6.", "1.6.x", "1.6.20.1", "1.6.20beta", "-1.6.2",
                           "1.99999999999.0", "unknown"}) {
    EXPECT_THAT(ParseContainerdVersion(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
    EXPECT_THAT(CheckContainerdVersion(text), StatusIs(absl::StatusCode::kFailedPrecondition))
        << text;
  }
}

TEST(ContainerdVersion, WorksFrom16On) {
  for (const char* text : {"1.6.0", "1.6.20~ds1", "v1.7.33", "v2.0.10", "v2.1.1", "2.2.0-beta.1",
                           "v3.0.0", "v2.10.0"}) {
    EXPECT_OK(CheckContainerdVersion(text));
  }
  EXPECT_THAT(CheckContainerdVersion("1.5.18"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("needs 1.6")));
  EXPECT_THAT(CheckContainerdVersion("v0.9.9"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(ContainerdVersion, RefusesTheVersionWhoseUnpackingEscapes) {
  for (const char* text : {"2.1.0", "v2.1.0", "v2.1.0-rc.1", "2.1.0+unknown"}) {
    EXPECT_THAT(CheckContainerdVersion(text),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("CVE-2025-47290")));
  }
}

}  // namespace
}  // namespace crisp::cri

#include "cri/spec/seccomp_profile.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "base/status_matchers.h"
#include "cri/spec/capabilities.h"

namespace crisp::cri {
namespace {

using runtime::v1::SecurityProfile;
using ::testing::HasSubstr;

HostFacts Host() {
  HostFacts host;
  host.seccomp = true;
  host.kernel_major = 6;
  host.kernel_minor = 1;
  return host;
}

SecurityProfile Localhost(const std::string& path) {
  SecurityProfile profile;
  profile.set_profile_type(SecurityProfile::Localhost);
  profile.set_localhost_ref(path);
  return profile;
}

class SeccompProfilesTest : public ::testing::Test {
 protected:
  absl::StatusOr<nlohmann::json> Resolve(const SecurityProfile& profile) {
    return profiles_.Resolve(&profile, "", false, 0);
  }
  std::string Path(const std::string& name) {
    const char* base = std::getenv("TEST_TMPDIR");
    return std::string(base != nullptr ? base : "/tmp") + "/" + name;
  }
  SeccompProfiles profiles_{Host()};
};

TEST_F(SeccompProfilesTest, WhatMeansUnconfined) {
  SecurityProfile unconfined;
  unconfined.set_profile_type(SecurityProfile::Unconfined);
  SecurityProfile standard;
  EXPECT_THAT(profiles_.Resolve(nullptr, "", false, 0), IsOkAndHolds(nlohmann::json()));
  EXPECT_THAT(profiles_.Resolve(nullptr, "unconfined", false, 0), IsOkAndHolds(nlohmann::json()));
  EXPECT_THAT(Resolve(unconfined), IsOkAndHolds(nlohmann::json()));
  EXPECT_THAT(profiles_.Resolve(&standard, "", true, 0), IsOkAndHolds(nlohmann::json()));
}

TEST_F(SeccompProfilesTest, DefaultIsBuiltOncePerCapabilities) {
  ASSERT_OK_AND_ASSIGN(const auto plain, profiles_.RuntimeDefault(0));
  ASSERT_OK_AND_ASSIGN(const auto again, profiles_.Resolve(nullptr, "runtime/default", false, 0));
  EXPECT_EQ(plain, again);
  ASSERT_OK_AND_ASSIGN(const auto boot,
                       profiles_.RuntimeDefault(uint64_t{1} << CapabilityByName("SYS_BOOT")));
  EXPECT_NE(plain, boot);
  EXPECT_EQ(plain["defaultAction"], "SCMP_ACT_ERRNO");
}

TEST_F(SeccompProfilesTest, LocalhostFilesAreReadAndReread) {
  const std::string path = Path("profile.json");
  ASSERT_OK(WriteFileAtomic(path, R"({"defaultAction":"SCMP_ACT_ALLOW"})", 0644));
  ASSERT_OK_AND_ASSIGN(auto profile, Resolve(Localhost(path)));
  EXPECT_EQ(profile["defaultAction"], "SCMP_ACT_ALLOW");
  ASSERT_OK(WriteFileAtomic(path, R"({"defaultAction":"SCMP_ACT_ERRNO"})", 0644));
  ASSERT_OK_AND_ASSIGN(profile, profiles_.Resolve(nullptr, "localhost/" + path, false, 0));
  EXPECT_EQ(profile["defaultAction"], "SCMP_ACT_ERRNO");
}

TEST_F(SeccompProfilesTest, LocalhostFilesAreJudged) {
  const auto refuses = [&](const std::string& path, const char* reason) {
    EXPECT_THAT(Resolve(Localhost(path)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)))
        << path;
    EXPECT_THAT(Resolve(Localhost(path)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("config.linux.security_context.seccomp.localhost_ref")));
  };
  refuses("", "is empty");
  refuses("profile.json", "absolute");
  refuses("/etc/../etc/x", "'..'");
  refuses(Path("missing.json"), "ENOENT");
  const std::string fifo = Path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  refuses(fifo, "seccomp");
  ASSERT_EQ(::unlink(fifo.c_str()), 0);
  const std::string link = Path("link.json");
  ASSERT_EQ(::symlink("/etc/passwd", link.c_str()), 0);
  refuses(link, "ELOOP");
  const std::string path = Path("bad.json");
  ASSERT_OK(WriteFileAtomic(path, "{", 0644));
  refuses(path, "not JSON");
  const std::string deep = std::string(400'000, '[') + std::string(400'000, ']');
  const std::string profile = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],)"
                              R"("action":"SCMP_ACT_ALLOW","args":)";
  ASSERT_OK(WriteFileAtomic(path, profile + deep + "}]}", 0644));
  refuses(path, "nests too deep");
  ASSERT_OK(WriteFileAtomic(path, R"({"defaultAction":"NO"})", 0644));
  refuses(path, "unknown action \"NO\"");
  ASSERT_OK(WriteFileAtomic(path, std::string((1 << 20) + 1, ' '), 0644));
  refuses(path, "1 MiB");
}

TEST_F(SeccompProfilesTest, OddChoicesAreRefused) {
  SecurityProfile profile;
  profile.set_localhost_ref("/x");
  EXPECT_THAT(Resolve(profile), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(profiles_.Resolve(nullptr, "chaotic", false, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("chaotic")));
}

TEST(SeccompProfiles, AKernelWithoutItSaysSo) {
  SeccompProfiles profiles{HostFacts()};
  EXPECT_THAT(profiles.RuntimeDefault(0), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(profiles.Resolve(nullptr, "", false, 0));
}

}  // namespace
}  // namespace crisp::cri

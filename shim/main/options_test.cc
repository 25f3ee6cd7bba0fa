#include "shim/main/options.h"

#include "base/status_matchers.h"

namespace crisp::shim {
namespace {

using ::testing::HasSubstr;

TEST(Options, AsContainerdWritesThem) {
  ASSERT_OK_AND_ASSIGN(
      const Options options,
      ParseOptions({"-namespace", "k8s.io", "-address", "/run/containerd/containerd.sock",
                    "-publish-binary", "/usr/bin/containerd", "-id", "web", "-bundle", "/b",
                    "-debug", "delete"}));
  EXPECT_EQ(options.container_namespace, "k8s.io");
  EXPECT_EQ(options.address, "/run/containerd/containerd.sock");
  EXPECT_EQ(options.publish_binary, "/usr/bin/containerd");
  EXPECT_EQ(options.id, "web");
  EXPECT_EQ(options.bundle, "/b");
  EXPECT_TRUE(options.debug);
  EXPECT_EQ(options.action, "delete");
}

TEST(Options, GosOtherForms) {
  ASSERT_OK_AND_ASSIGN(const Options options,
                       ParseOptions({"--id=web", "--debug=false", "-socket-fd=3", "--", "serve"}));
  EXPECT_EQ(options.id, "web");
  EXPECT_FALSE(options.debug);
  EXPECT_EQ(options.socket_fd, 3);
  EXPECT_EQ(options.action, "serve");
  EXPECT_THAT(ParseOptions({}).status(), IsOk());
  EXPECT_TRUE(ParseOptions({"-v"})->version);
  EXPECT_TRUE(ParseOptions({"-info"})->info);
}

TEST(Options, MistakesAreNamed) {
  EXPECT_THAT(ParseOptions({"-nope"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("nope")));
  EXPECT_THAT(ParseOptions({"-id"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("id")));
  EXPECT_THAT(ParseOptions({"-socket-fd", "x", "serve"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("socket-fd")));
  EXPECT_THAT(ParseOptions({"start", "more"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more")));
}

}  // namespace
}  // namespace crisp::shim

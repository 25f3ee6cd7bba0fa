#include "cri/spec/capabilities.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kAll = (uint64_t{1} << 41) - 1;

TEST(Capabilities, DefaultsAreFourteenAndNeverInheritable) {
  ASSERT_OK_AND_ASSIGN(const CapabilitySets sets, ResolveCapabilities({}, false, kAll));
  EXPECT_EQ(CapabilityNames(sets.bounding).size(), 14u);
  EXPECT_TRUE(HasCapability(sets.bounding, "CAP_NET_RAW"));
  EXPECT_FALSE(HasCapability(sets.bounding, "SYS_ADMIN"));
  const auto json = CapabilitiesToOci(sets);
  EXPECT_FALSE(json.contains("inheritable"));
  EXPECT_FALSE(json.contains("ambient"));
  EXPECT_EQ(json["bounding"], json["effective"]);
  EXPECT_EQ(json["bounding"], json["permitted"]);
}

TEST(Capabilities, AllThenAddsThenDrops) {
  runtime::v1::Capability request;
  request.add_drop_capabilities("all");
  request.add_add_capabilities("net_bind_service");
  request.add_add_capabilities("CAP_CHOWN");
  ASSERT_OK_AND_ASSIGN(CapabilitySets sets, ResolveCapabilities(request, false, kAll));
  EXPECT_THAT(CapabilityNames(sets.bounding),
              ::testing::ElementsAre("CAP_CHOWN", "CAP_NET_BIND_SERVICE"));

  request.Clear();
  request.add_add_capabilities("ALL");
  request.add_drop_capabilities("SYS_ADMIN");
  ASSERT_OK_AND_ASSIGN(sets, ResolveCapabilities(request, false, kAll));
  EXPECT_FALSE(HasCapability(sets.bounding, "SYS_ADMIN"));
  EXPECT_EQ(CapabilityNames(sets.bounding).size(), 40u);

  request.add_add_capabilities("SYS_ADMIN");  // A drop is the last word.
  ASSERT_OK_AND_ASSIGN(sets, ResolveCapabilities(request, false, kAll));
  EXPECT_FALSE(HasCapability(sets.bounding, "SYS_ADMIN"));
}

TEST(Capabilities, WhatTheHostLacksIsClampedUnlessNamed) {
  const uint64_t without_mknod = kAll & ~(uint64_t{1} << CapabilityByName("MKNOD"));
  ASSERT_OK_AND_ASSIGN(CapabilitySets sets, ResolveCapabilities({}, false, without_mknod));
  EXPECT_EQ(CapabilityNames(sets.bounding).size(), 13u);
  ASSERT_OK_AND_ASSIGN(sets, ResolveCapabilities({}, true, without_mknod));
  EXPECT_EQ(sets.bounding, without_mknod);
  runtime::v1::Capability request;
  request.add_add_capabilities("MKNOD");
  EXPECT_THAT(ResolveCapabilities(request, false, without_mknod),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("CAP_MKNOD")));
}

TEST(Capabilities, UnknownNamesAreRefusedByField) {
  runtime::v1::Capability request;
  request.add_add_capabilities("FOO");
  EXPECT_THAT(ResolveCapabilities(request, false, kAll),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "config.linux.security_context.capabilities.add_capabilities: unknown "
                       "capability \"FOO\""));
  EXPECT_THAT(ResolveCapabilities(request, true, kAll),
              StatusIs(absl::StatusCode::kInvalidArgument));
  request.Clear();
  request.add_drop_capabilities("CAP_CAP_CHOWN");
  EXPECT_THAT(ResolveCapabilities(request, false, kAll),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("drop_capabilities")));
}

TEST(Capabilities, AmbientOnesAreInEverySet) {
  runtime::v1::Capability request;
  request.add_add_ambient_capabilities("NET_ADMIN");
  ASSERT_OK_AND_ASSIGN(const CapabilitySets sets, ResolveCapabilities(request, false, kAll));
  const auto json = CapabilitiesToOci(sets);
  for (const char* set : {"ambient", "inheritable", "bounding", "effective", "permitted"}) {
    EXPECT_THAT(json[set].get<std::vector<std::string>>(), ::testing::Contains("CAP_NET_ADMIN"));
  }
  EXPECT_EQ(json["ambient"].size(), 1u);
  request.add_drop_capabilities("NET_ADMIN");
  EXPECT_THAT(ResolveCapabilities(request, false, kAll),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("add_ambient_capabilities")));
}

}  // namespace
}  // namespace crisp::cri

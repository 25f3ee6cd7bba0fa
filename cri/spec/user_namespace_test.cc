#include "cri/spec/user_namespace.h"

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::NamespaceMode;
using runtime::v1::NamespaceOption;
using ::testing::HasSubstr;

constexpr char kPrefix[] = "options.";

void Map(uint32_t inside, uint32_t outside, uint32_t length, IdMappings* mappings) {
  auto* mapping = mappings->Add();
  mapping->set_container_id(inside);
  mapping->set_host_id(outside);
  mapping->set_length(length);
}

NamespaceOption Mapped() {
  NamespaceOption options;
  auto* users = options.mutable_userns_options();
  users->set_mode(NamespaceMode::POD);
  Map(0, 100000, 65536, users->mutable_uids());
  Map(0, 100000, 65536, users->mutable_gids());
  return options;
}

runtime::v1::PodSandboxConfig PodWith(const NamespaceOption& options) {
  runtime::v1::PodSandboxConfig pod;
  *pod.mutable_linux()->mutable_security_context()->mutable_namespace_options() = options;
  return pod;
}

void Refuses(const NamespaceOption& options, const char* field) {
  EXPECT_THAT(ValidateUserNamespace(kPrefix, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
}

TEST(UserNamespace, WhatAPodMayAskFor) {
  EXPECT_OK(ValidateUserNamespace(kPrefix, {}));
  EXPECT_OK(ValidateUserNamespace(kPrefix, Mapped()));
  EXPECT_NE(UserNamespaceOf(PodWith(Mapped())), nullptr);
  NamespaceOption node;
  node.mutable_userns_options()->set_mode(NamespaceMode::NODE);
  EXPECT_OK(ValidateUserNamespace(kPrefix, node));
  EXPECT_EQ(UserNamespaceOf(PodWith(node)), nullptr);
  EXPECT_EQ(UserNamespaceOf(PodWith({})), nullptr);
}

TEST(UserNamespace, Refusals) {
  for (const NamespaceMode mode : {NamespaceMode::CONTAINER, NamespaceMode::TARGET}) {
    NamespaceOption options;
    options.mutable_userns_options()->set_mode(mode);
    Refuses(options, "options.userns_options.mode");
  }
  NamespaceOption options;
  options.mutable_userns_options();
  Refuses(options, "userns_options.uids: has 0 mappings");
  options = Mapped();
  Map(65536, 300000, 65536, options.mutable_userns_options()->mutable_uids());
  Refuses(options, "userns_options.uids: has 2 mappings");
  options = Mapped();
  options.mutable_userns_options()->mutable_gids(0)->set_container_id(1);
  Refuses(options, "userns_options.gids[0].container_id");
  options = Mapped();
  options.mutable_userns_options()->mutable_gids(0)->set_host_id(1);
  Refuses(options, "userns_options.gids: are not");
  options = Mapped();
  options.mutable_userns_options()->mutable_uids(0)->set_length(0);
  Refuses(options, "userns_options.uids[0].length");
  options = Mapped();
  options.mutable_userns_options()->mutable_uids(0)->set_length(0xffffffff);
  Refuses(options, "userns_options.uids[0]: reaches beyond");
  options = Mapped();
  options.set_network(NamespaceMode::NODE);
  Refuses(options, "options.network");
  options = Mapped();
  options.set_pid(NamespaceMode::NODE);
  Refuses(options, "options.pid");
}

TEST(UserNamespace, AContainerHasItsPods) {
  EXPECT_OK(CheckSameUserNamespace(kPrefix, {}, PodWith(Mapped())));
  EXPECT_OK(CheckSameUserNamespace(kPrefix, Mapped(), PodWith(Mapped())));
  EXPECT_FALSE(CheckSameUserNamespace(kPrefix, Mapped(), PodWith({})).ok());
  NamespaceOption other = Mapped();
  other.mutable_userns_options()->mutable_uids(0)->set_host_id(1);
  EXPECT_THAT(CheckSameUserNamespace(kPrefix, other, PodWith(Mapped())),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("other mappings")));
}

TEST(UserNamespace, MapsOfMounts) {
  runtime::v1::Mount mount;
  EXPECT_OK(ValidateMountMappings("mounts[0]", mount, PodWith({})));
  Map(0, 100000, 65536, mount.mutable_uidmappings());
  EXPECT_THAT(ValidateMountMappings("mounts[0]", mount, PodWith(Mapped())),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mounts[0].gidMappings")));
  Map(0, 100000, 65536, mount.mutable_gidmappings());
  EXPECT_OK(ValidateMountMappings("mounts[0]", mount, PodWith(Mapped())));
  EXPECT_THAT(ValidateMountMappings("mounts[0]", mount, PodWith({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no user namespace")));
}

TEST(UserNamespace, Ids) {
  IdMappings mappings;
  Map(0, 100000, 10, &mappings);
  Map(20, 5, 10, &mappings);
  EXPECT_EQ(*OutsideId(mappings, 0), 100000u);
  EXPECT_EQ(*OutsideId(mappings, 9), 100009u);
  EXPECT_EQ(*OutsideId(mappings, 29), 14u);
  EXPECT_THAT(OutsideId(mappings, 10), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_EQ(MappingsToOci(mappings)[1],
            nlohmann::json({{"containerID", 20}, {"hostID", 5}, {"size", 10}}));
}

}  // namespace
}  // namespace crisp::cri

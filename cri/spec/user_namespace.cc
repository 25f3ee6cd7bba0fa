#include "cri/spec/user_namespace.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using runtime::v1::NamespaceMode;
using runtime::v1::NamespaceOption;
using runtime::v1::UserNamespace;

// The kernel's bound, and the id that stands for none.
constexpr int kMaxMaps = 340;
constexpr uint64_t kNoId = 0xffffffff;

bool Same(const IdMappings& a, const IdMappings& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return google::protobuf::util::MessageDifferencer::Equals(x, y);
  });
}

absl::Status CheckRange(const std::string& field, const runtime::v1::IDMapping& mapping) {
  if (mapping.length() == 0) return BadField(field + ".length", "is zero");
  const auto fits = [&](uint64_t first) { return first + mapping.length() <= kNoId; };
  if (!fits(mapping.container_id()) || !fits(mapping.host_id())) {
    return BadField(field, "reaches beyond the last id");
  }
  return absl::OkStatus();
}

absl::Status CheckPodMap(const std::string& field, const IdMappings& mappings) {
  if (mappings.size() != 1) {
    return BadField(field, absl::StrCat("has ", mappings.size(), " mappings; it must be one"));
  }
  if (mappings[0].container_id() != 0) {
    return BadField(field + "[0].container_id", "is not 0: the container's root is not mapped");
  }
  return CheckRange(field + "[0]", mappings[0]);
}

absl::Status CheckMountMaps(const std::string& field, const IdMappings& mappings) {
  if (mappings.empty()) return BadField(field, "is missing beside the other one");
  if (mappings.size() > kMaxMaps) return BadField(field, "more than 340 mappings");
  for (int i = 0; i < mappings.size(); ++i) {
    CRISP_RETURN_IF_ERROR(CheckRange(absl::StrCat(field, "[", i, "]"), mappings[i]));
  }
  return absl::OkStatus();
}

}  // namespace

const UserNamespace* UserNamespaceOf(const runtime::v1::PodSandboxConfig& pod) {
  const NamespaceOption& options = pod.linux().security_context().namespace_options();
  const bool own =
      options.has_userns_options() && options.userns_options().mode() == NamespaceMode::POD;
  return own ? &options.userns_options() : nullptr;
}

absl::Status ValidateUserNamespace(const std::string& prefix, const NamespaceOption& options) {
  if (!options.has_userns_options()) return absl::OkStatus();
  const UserNamespace& users = options.userns_options();
  const std::string field = prefix + "userns_options.";
  if (users.mode() == NamespaceMode::NODE) {
    if (users.uids().empty() && users.gids().empty()) return absl::OkStatus();
    return BadField(field + (users.uids().empty() ? "gids" : "uids"), "is set with mode NODE");
  }
  if (users.mode() != NamespaceMode::POD) return BadField(field + "mode", "is not POD or NODE");
  CRISP_RETURN_IF_ERROR(CheckPodMap(field + "uids", users.uids()));
  CRISP_RETURN_IF_ERROR(CheckPodMap(field + "gids", users.gids()));
  if (!Same(users.uids(), users.gids())) return BadField(field + "gids", "are not those of uids");
  const struct {
    const char* name;
    NamespaceMode mode;
  } others[] = {{"network", options.network()}, {"ipc", options.ipc()}, {"pid", options.pid()}};
  for (const auto& other : others) {
    if (other.mode != NamespaceMode::NODE) continue;
    return BadField(prefix + other.name,
                    "is NODE, and a pod with a user namespace has no rights over the host's");
  }
  return absl::OkStatus();
}

absl::Status CheckSameUserNamespace(const std::string& prefix, const NamespaceOption& container,
                                    const runtime::v1::PodSandboxConfig& pod) {
  if (!container.has_userns_options()) return absl::OkStatus();
  const UserNamespace& wanted = container.userns_options();
  const UserNamespace* const pods = UserNamespaceOf(pod);
  const std::string field = prefix + "userns_options";
  if (wanted.mode() != NamespaceMode::POD && wanted.mode() != NamespaceMode::NODE) {
    return BadField(field + ".mode", "is not POD or NODE");
  }
  if ((wanted.mode() == NamespaceMode::POD) != (pods != nullptr)) {
    return BadField(field + ".mode", "is not the sandbox's");
  }
  if (pods == nullptr || (Same(wanted.uids(), pods->uids()) && Same(wanted.gids(), pods->gids()))) {
    return absl::OkStatus();
  }
  return BadField(field, "has other mappings than the sandbox");
}

absl::Status ValidateMountMappings(const std::string& field, const runtime::v1::Mount& mount,
                                   const runtime::v1::PodSandboxConfig& pod) {
  if (mount.uidmappings().empty() && mount.gidmappings().empty()) return absl::OkStatus();
  if (UserNamespaceOf(pod) == nullptr) {
    return BadField(field + (mount.uidmappings().empty() ? ".gidMappings" : ".uidMappings"),
                    "is set, but the pod has no user namespace");
  }
  CRISP_RETURN_IF_ERROR(CheckMountMaps(field + ".uidMappings", mount.uidmappings()));
  return CheckMountMaps(field + ".gidMappings", mount.gidmappings());
}

nlohmann::json MappingsToOci(const IdMappings& mappings) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& mapping : mappings) {
    out.push_back({{"containerID", mapping.container_id()},
                   {"hostID", mapping.host_id()},
                   {"size", mapping.length()}});
  }
  return out;
}

absl::StatusOr<uint32_t> OutsideId(const IdMappings& mappings, uint32_t inside) {
  for (const auto& mapping : mappings) {
    if (inside < mapping.container_id()) continue;
    const uint32_t offset = inside - mapping.container_id();
    if (offset < mapping.length()) return mapping.host_id() + offset;
  }
  return absl::OutOfRangeError(absl::StrCat("id ", inside, " is not mapped"));
}

}  // namespace crisp::cri

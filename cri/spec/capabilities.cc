#include "cri/spec/capabilities.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/capability_names.h"
#include "base/status_macros.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

constexpr const char* kDefaults[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};

uint64_t Bit(int number) { return uint64_t{1} << number; }

bool IsAll(const std::string& name) { return absl::AsciiStrToUpper(name) == "ALL"; }

using Names = google::protobuf::RepeatedPtrField<std::string>;

bool NamesAll(const Names& names) { return std::any_of(names.begin(), names.end(), IsAll); }

// The capabilities named, without "ALL".
absl::StatusOr<uint64_t> ParseNames(const char* list, const Names& names) {
  uint64_t set = 0;
  for (const std::string& name : names) {
    if (IsAll(name)) continue;
    const int number = CapabilityByName(name);
    if (number < 0) {
      return BadField(absl::StrCat("config.linux.security_context.capabilities.", list),
                      absl::StrCat("unknown capability ", Quoted(name)));
    }
    set |= Bit(number);
  }
  return set;
}

absl::Status CheckAvailable(const char* list, uint64_t wanted, uint64_t available) {
  if ((wanted & ~available) == 0) return absl::OkStatus();
  return BadField(absl::StrCat("config.linux.security_context.capabilities.", list),
                  absl::StrCat("this host does not grant ",
                               CapabilityNames(wanted & ~available).front(), " to containers"));
}

}  // namespace

int CapabilityByName(absl::string_view name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  return crisp::CapabilityByName(absl::StartsWith(upper, "CAP_") ? upper
                                                                 : absl::StrCat("CAP_", upper));
}

std::vector<std::string> CapabilityNames(uint64_t set) {
  std::vector<std::string> names;
  for (int i = 0; i < kCapabilityCount; ++i) {
    if ((set & Bit(i)) != 0) names.push_back(CapabilityName(i));
  }
  return names;
}

bool HasCapability(uint64_t set, absl::string_view name) {
  const int number = CapabilityByName(name);
  return number >= 0 && (set & Bit(number)) != 0;
}

absl::StatusOr<CapabilitySets> ResolveCapabilities(const runtime::v1::Capability& request,
                                                   bool privileged, uint64_t available) {
  available &= Bit(kCapabilityCount) - 1;  // A newer kernel may have some that have no name yet.
  CRISP_ASSIGN_OR_RETURN(const uint64_t add,
                         ParseNames("add_capabilities", request.add_capabilities()));
  CRISP_ASSIGN_OR_RETURN(const uint64_t drop,
                         ParseNames("drop_capabilities", request.drop_capabilities()));
  CRISP_ASSIGN_OR_RETURN(
      uint64_t ambient, ParseNames("add_ambient_capabilities", request.add_ambient_capabilities()));
  if (privileged) return CapabilitySets{available, 0};

  CRISP_RETURN_IF_ERROR(CheckAvailable("add_capabilities", add & ~drop, available));
  CRISP_RETURN_IF_ERROR(CheckAvailable("add_ambient_capabilities", ambient, available));
  if ((ambient & drop) != 0) {
    return BadField(
        "config.linux.security_context.capabilities.add_ambient_capabilities",
        absl::StrCat(CapabilityNames(ambient & drop).front(), " is also in drop_capabilities"));
  }
  if (NamesAll(request.add_ambient_capabilities())) ambient = available & ~drop;

  uint64_t set = 0;
  for (const char* name : kDefaults) set |= Bit(CapabilityByName(name));
  if (NamesAll(request.add_capabilities())) set = available;
  if (NamesAll(request.drop_capabilities())) set = 0;
  set = ((set & available) | add) & ~drop;
  return CapabilitySets{set | ambient, ambient};
}

nlohmann::json CapabilitiesToOci(const CapabilitySets& sets) {
  const std::vector<std::string> bounding = CapabilityNames(sets.bounding);
  nlohmann::json out = {{"bounding", bounding}, {"effective", bounding}, {"permitted", bounding}};
  // Left out when empty: inheritable capabilities would let an unprivileged
  // program of the image gain them through file capabilities (CVE-2022-29162).
  if (sets.ambient != 0) {
    const std::vector<std::string> ambient = CapabilityNames(sets.ambient);
    out["inheritable"] = ambient;
    out["ambient"] = ambient;
  }
  return out;
}

}  // namespace crisp::cri

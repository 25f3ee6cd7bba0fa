#include "cri/spec/seccomp_json.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cri/spec/capabilities.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using Json = nlohmann::json;

// This machine, as libseccomp and as Go (which Docker's rules use) call it.
#if defined(__x86_64__)
constexpr char kArch[] = "SCMP_ARCH_X86_64";
constexpr char kGoArch[] = "amd64";
#elif defined(__aarch64__)
constexpr char kArch[] = "SCMP_ARCH_AARCH64";
constexpr char kGoArch[] = "arm64";
#elif defined(__s390x__)
constexpr char kArch[] = "SCMP_ARCH_S390X";
constexpr char kGoArch[] = "s390x";
#elif defined(__powerpc64__)
constexpr char kArch[] = "SCMP_ARCH_PPC64LE";
constexpr char kGoArch[] = "ppc64le";
#elif defined(__riscv)
constexpr char kArch[] = "SCMP_ARCH_RISCV64";
constexpr char kGoArch[] = "riscv64";
#else
#error "no seccomp names for this architecture"
#endif

absl::Status Bad(absl::string_view key, absl::string_view reason) {
  return BadField(absl::StrCat("seccomp profile: ", key), reason);
}

absl::StatusOr<std::vector<std::string>> Texts(const Json& object, const char* key) {
  std::vector<std::string> out;
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return out;
  if (!it->is_array()) return Bad(key, "is not a list");
  for (const Json& entry : *it) {
    if (!entry.is_string()) return Bad(key, "has an entry that is not a string");
    out.push_back(entry.get<std::string>());
  }
  return out;
}

absl::StatusOr<bool> KernelIsAtLeast(const Json& filter, const SeccompSubject& subject) {
  const auto it = filter.find("minKernel");
  if (it == filter.end() || it->is_null()) return true;
  int major = 0;
  int minor = 0;
  const std::vector<std::string> parts =
      it->is_string() ? absl::StrSplit(it->get<std::string>(), '.') : std::vector<std::string>();
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &major) ||
      !absl::SimpleAtoi(parts[1], &minor)) {
    return Bad("minKernel", "is not like \"5.10\"");
  }
  return subject.kernel_major > major ||
         (subject.kernel_major == major && subject.kernel_minor >= minor);
}

// "includes" asks for all of its capabilities and one of its architectures.
absl::StatusOr<bool> Included(const Json& call, const SeccompSubject& subject) {
  const auto it = call.find("includes");
  if (it == call.end() || it->is_null()) return true;
  if (!it->is_object()) return Bad("includes", "is not an object");
  CRISP_ASSIGN_OR_RETURN(const auto arches, Texts(*it, "arches"));
  CRISP_ASSIGN_OR_RETURN(const auto caps, Texts(*it, "caps"));
  CRISP_ASSIGN_OR_RETURN(const bool kernel, KernelIsAtLeast(*it, subject));
  const bool arch =
      arches.empty() || std::find(arches.begin(), arches.end(), kGoArch) != arches.end();
  return kernel && arch && std::all_of(caps.begin(), caps.end(), [&](const std::string& cap) {
           return HasCapability(subject.capabilities, cap);
         });
}

// "excludes" is met by any of its capabilities, architectures or the kernel.
absl::StatusOr<bool> Excluded(const Json& call, const SeccompSubject& subject) {
  const auto it = call.find("excludes");
  if (it == call.end() || it->is_null()) return false;
  if (!it->is_object()) return Bad("excludes", "is not an object");
  CRISP_ASSIGN_OR_RETURN(const auto arches, Texts(*it, "arches"));
  CRISP_ASSIGN_OR_RETURN(const auto caps, Texts(*it, "caps"));
  CRISP_ASSIGN_OR_RETURN(const bool kernel, KernelIsAtLeast(*it, subject));
  if (it->contains("minKernel") && kernel) return true;
  return std::find(arches.begin(), arches.end(), kGoArch) != arches.end() ||
         std::any_of(caps.begin(), caps.end(), [&](const std::string& cap) {
           return HasCapability(subject.capabilities, cap);
         });
}

absl::StatusOr<Json> Architectures(const Json& profile) {
  CRISP_ASSIGN_OR_RETURN(std::vector<std::string> names, Texts(profile, "architectures"));
  const auto map = profile.find("archMap");
  if (map == profile.end() || map->is_null()) return Json(names);
  if (!names.empty()) return Bad("archMap", "is set beside architectures");
  if (!map->is_array()) return Bad("archMap", "is not a list");
  for (const Json& entry : *map) {
    if (!entry.is_object()) return Bad("archMap", "has an entry that is not an object");
    const auto arch = entry.find("architecture");
    if (arch == entry.end() || *arch != kArch) continue;
    CRISP_ASSIGN_OR_RETURN(const auto subs, Texts(entry, "subArchitectures"));
    names.push_back(kArch);
    names.insert(names.end(), subs.begin(), subs.end());
  }
  return Json(names);
}

// Keys of a rule that OCI knows; the rest is Docker's or a comment.
Json OciRule(const Json& call) {
  Json rule = Json::object();
  for (const char* key : {"names", "action", "errnoRet", "args"}) {
    const auto it = call.find(key);
    if (it != call.end() && !it->is_null()) rule[key] = *it;
  }
  return rule;
}

}  // namespace

absl::StatusOr<Json> NormalizeSeccomp(const Json& profile, const SeccompSubject& subject) {
  if (!profile.is_object()) return Bad("file", "is not a JSON object");
  Json out = Json::object();
  for (const char* key :
       {"defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata"}) {
    const auto it = profile.find(key);
    if (it != profile.end() && !it->is_null()) out[key] = *it;
  }
  CRISP_ASSIGN_OR_RETURN(Json architectures, Architectures(profile));
  if (!architectures.empty()) out["architectures"] = std::move(architectures);

  const auto calls = profile.find("syscalls");
  if (calls == profile.end() || calls->is_null()) return out;
  if (!calls->is_array()) return Bad("syscalls", "is not a list");
  out["syscalls"] = Json::array();
  for (const Json& call : *calls) {
    if (!call.is_object()) return Bad("syscalls", "has an entry that is not an object");
    CRISP_ASSIGN_OR_RETURN(const bool included, Included(call, subject));
    CRISP_ASSIGN_OR_RETURN(const bool excluded, Excluded(call, subject));
    if (!included || excluded) continue;
    Json rule = OciRule(call);
    if (const auto name = call.find("name"); name != call.end() && *name != "") {
      if (call.contains("names") && !call.at("names").empty()) {
        return Bad("syscalls", "has an entry with both name and names");
      }
      rule["names"] = Json::array({*name});
    }
    out["syscalls"].push_back(std::move(rule));
  }
  return out;
}

}  // namespace crisp::cri

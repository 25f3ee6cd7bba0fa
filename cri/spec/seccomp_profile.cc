#include "cri/spec/seccomp_profile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/shallow_json.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "cri/spec/field_text.h"
#include "cri/spec/seccomp_default.h"
#include "cri/spec/seccomp_json.h"
#include "seccomp/filter.h"

namespace crisp::cri {
namespace {

constexpr char kField[] = "config.linux.security_context.seccomp.localhost_ref";
constexpr size_t kMaxProfile = 1 << 20;
// Each entry is a few ten KiB. Clients choose paths and capabilities, so the
// number of entries is bounded; beyond it the cache starts anew.
constexpr size_t kMaxCached = 256;

}  // namespace

SeccompProfiles::SeccompProfiles(const HostFacts& host)
    : available_(host.seccomp),
      kernel_major_(host.kernel_major),
      kernel_minor_(host.kernel_minor) {}

absl::StatusOr<nlohmann::json> SeccompProfiles::Resolve(const runtime::v1::SecurityProfile* profile,
                                                        const std::string& profile_path,
                                                        bool privileged, uint64_t capabilities) {
  using runtime::v1::SecurityProfile;
  if (privileged) return nlohmann::json();
  if (profile != nullptr) {
    const std::string& ref = profile->localhost_ref();
    if (profile->profile_type() != SecurityProfile::Localhost && !ref.empty()) {
      return BadField(kField, "is set but profile_type is not Localhost");
    }
    switch (profile->profile_type()) {
      case SecurityProfile::RuntimeDefault:
        return RuntimeDefault(capabilities);
      case SecurityProfile::Unconfined:
        return nlohmann::json();
      case SecurityProfile::Localhost:
        return Localhost(ref, capabilities);
      default:
        return BadField(
            "config.linux.security_context.seccomp.profile_type",
            absl::StrCat(static_cast<int>(profile->profile_type()), " is not a known type"));
    }
  }
  // The field of older kubelets.
  if (profile_path.empty() || profile_path == "unconfined") return nlohmann::json();
  if (profile_path == "runtime/default" || profile_path == "docker/default") {
    return RuntimeDefault(capabilities);
  }
  if (absl::StartsWith(profile_path, "localhost/")) {
    return Localhost(std::string(absl::StripPrefix(profile_path, "localhost/")), capabilities);
  }
  return BadField("config.linux.security_context.seccomp_profile_path",
                  absl::StrCat(Quoted(profile_path), " is not a profile"));
}

absl::StatusOr<nlohmann::json> SeccompProfiles::Lookup(const std::string& key) {
  absl::MutexLock lock(&mu_);
  const auto it = cache_.find(key);
  if (it == cache_.end()) return absl::NotFoundError("");
  return it->second;
}

absl::StatusOr<nlohmann::json> SeccompProfiles::CheckAndKeep(const std::string& key,
                                                             const nlohmann::json& profile) {
  CRISP_RETURN_IF_ERROR(CompileSeccomp(profile).status());
  nlohmann::json known = WithoutUnknownCalls(profile);
  absl::MutexLock lock(&mu_);
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_[key] = known;
  return known;
}

absl::StatusOr<nlohmann::json> SeccompProfiles::RuntimeDefault(uint64_t capabilities) {
  if (!available_) {
    return absl::FailedPreconditionError("seccomp: this kernel does not have it");
  }
  const std::string key = absl::StrCat("default ", absl::Hex(capabilities));
  if (auto cached = Lookup(key); cached.ok()) return cached;
  return CheckAndKeep(key, DefaultSeccompProfile(capabilities, kernel_major_, kernel_minor_));
}

absl::StatusOr<nlohmann::json> SeccompProfiles::Localhost(const std::string& path,
                                                          uint64_t capabilities) {
  if (!available_) {
    return absl::FailedPreconditionError("seccomp: this kernel does not have it");
  }
  CRISP_ASSIGN_OR_RETURN(const std::string clean, CheckHostPath(kField, path));
  struct stat st;
  const absl::Status found =
      Sys(absl::StrCat("stat ", clean), [&] { return ::lstat(clean.c_str(), &st); });
  if (!found.ok()) return BadField(kField, found.message());
  // A profile that was edited is another profile: inode, size and times say so.
  const std::string key =
      absl::StrCat("file ", clean, " ", st.st_dev, " ", st.st_ino, " ", st.st_size, " ",
                   st.st_mtim.tv_sec, ".", st.st_mtim.tv_nsec, " ", st.st_ctim.tv_sec, ".",
                   st.st_ctim.tv_nsec, " ", absl::Hex(capabilities));
  if (auto cached = Lookup(key); cached.ok()) return cached;

  const auto text = ReadFileAt(AT_FDCWD, clean, kMaxProfile);
  if (absl::IsOutOfRange(text.status())) return BadField(kField, "is larger than 1 MiB");
  if (!text.ok()) return BadField(kField, text.status().message());
  const nlohmann::json parsed = ParseShallowJson(*text);
  if (parsed.is_discarded()) {
    return BadField(kField, absl::StrCat(Quoted(clean), " is not JSON, or nests too deep"));
  }
  const SeccompSubject subject{capabilities, kernel_major_, kernel_minor_};
  auto profile = NormalizeSeccomp(parsed, subject);
  if (profile.ok()) profile = CheckAndKeep(key, *profile);
  return Annotate(std::move(profile), kField, ": ", clean);
}

}  // namespace crisp::cri

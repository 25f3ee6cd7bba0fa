// Seccomp: CRI's profile choice to OCI linux.seccomp, checked by building the
// filter with libseccomp, so that a profile that cannot load is refused when the
// container is made and not when it starts.
//
// Ownership: a cache; keeps the JSON of each (profile, capabilities) it built.
// Threads:   safe. Filters are built without the lock held.
// Errors:    InvalidArgument naming the profile and what is wrong in it;
//            FailedPrecondition when the kernel has no seccomp.
#ifndef CRISP_CRI_SPEC_SECCOMP_PROFILE_H_
#define CRISP_CRI_SPEC_SECCOMP_PROFILE_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "api/cri/v1/api.pb.h"
#include "cri/spec/host_facts.h"

namespace crisp::cri {

class SeccompProfiles {
 public:
  explicit SeccompProfiles(const HostFacts& host);

  // What `profile` (or, without one, the deprecated `profile_path`) asks for.
  // Null JSON means unconfined: no profile at all, Unconfined, or privileged.
  // `capabilities` is the bounding set, which opens some calls.
  absl::StatusOr<nlohmann::json> Resolve(const runtime::v1::SecurityProfile* profile,
                                         const std::string& profile_path, bool privileged,
                                         uint64_t capabilities);

  absl::StatusOr<nlohmann::json> RuntimeDefault(uint64_t capabilities);

  // A JSON file in OCI's or Docker's form: absolute path, regular, at most 1 MiB.
  absl::StatusOr<nlohmann::json> Localhost(const std::string& path, uint64_t capabilities);

 private:
  absl::StatusOr<nlohmann::json> Lookup(const std::string& key);
  absl::StatusOr<nlohmann::json> CheckAndKeep(const std::string& key,
                                              const nlohmann::json& profile);

  const bool available_;
  const int kernel_major_;
  const int kernel_minor_;
  absl::Mutex mu_;
  std::map<std::string, nlohmann::json> cache_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_SECCOMP_PROFILE_H_

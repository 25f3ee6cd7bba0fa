// hostPath volumes: a path of the host that is only checked, and in some types made.
//
// Threads: free functions.
// Errors:  FailedPrecondition when the path is not what its type says; errno kept.
#ifndef CRISP_VOLUMES_HOST_PATH_H_
#define CRISP_VOLUMES_HOST_PATH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

absl::optional<HostPathType> HostPathTypeOf(absl::string_view word);

// Absolute, without '..' elements and NUL; cleaned.
absl::StatusOr<std::string> CleanHostPath(absl::string_view path);

// Symlinks are followed: whoever names a hostPath speaks for the host.
absl::Status CheckHostPath(const HostPathSource& source);

// Makes what is missing, if the type says so, then checks.
absl::Status EnsureHostPath(const HostPathSource& source);

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_HOST_PATH_H_

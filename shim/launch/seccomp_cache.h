// Seccomp filters, compiled once for all containers with the same profile.
//
// Ownership: files in a directory of root's alone (0700), each 0600 and written by
//            rename. The name is the SHA-256 of the profile and of what compiles it.
// Threads:   free functions; safe beside each other, in many processes.
// Errors:    InvalidArgument naming what is wrong in the profile; errno kept.
// Crash:     a file is there whole or not at all.
#ifndef CRISP_SHIM_LAUNCH_SECCOMP_CACHE_H_
#define CRISP_SHIM_LAUNCH_SECCOMP_CACHE_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace crisp::shim {

struct SeccompFilter {
  std::string program;  // struct sock_filter[]; empty: no filter.
  unsigned flags = 0;   // SECCOMP_FILTER_FLAG_*.
  std::string key;      // Empty: not in a cache.
};

// Null `profile`: no filter. An unusable cache costs time, not the container.
absl::StatusOr<SeccompFilter> GetSeccompFilter(const nlohmann::json& profile,
                                               const std::string& cache_dir);

// The program of a filter that a launch found or put there.
absl::StatusOr<std::string> ReadCachedProgram(const std::string& cache_dir, const std::string& key);

// Into the kernel, for the calling process.
absl::Status LoadSeccompFilter(const SeccompFilter& filter);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SECCOMP_CACHE_H_

// The shim's program, out of the reach of what it starts.
//
// A container's init is a fork of the shim and has the shim's program as its
// /proc/self/exe until it executes the container's: with a path or descriptor of that
// it could rewrite the program that all later pods run. So shims are started from a
// detached mount of that one file that is read-only: no mount table shows it, and
// nothing that a container can reach makes it writable. One for the node, not one a
// start, and no copy in memory.
//
// Ownership: owns the mount, which ends with the last process that runs from it.
// Threads:   immutable.
// Errors:    errno kept; NotFound says where the binary was looked for.
#ifndef CRISP_SHIM_CLIENT_SHIM_BINARY_H_
#define CRISP_SHIM_CLIENT_SHIM_BINARY_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

class ShimBinary {
 public:
  static absl::StatusOr<ShimBinary> Open(const std::string& path);

  // To execute, while this lives.
  std::string exec_path() const;

 private:
  explicit ShimBinary(UniqueFd mount) : mount_(std::move(mount)) {}

  UniqueFd mount_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_CLIENT_SHIM_BINARY_H_

// A logging program that takes a container's output (binary:// and binary-v2://).
//
// It gets the read ends of stdout and stderr as 3 and 4, and the write end of a pipe as 5
// on which it says that it is ready: by closing it, or (v2) by one byte.
//
// Ownership: owns the program: dropping it closes what we hold of its pipes, and ends the
//            program if it does not end by itself.
// Threads:   the loop's.
// Errors:    InvalidArgument for a URI that does not parse; errno of the start;
//            FailedPrecondition or DeadlineExceeded from OnReady.
#ifndef CRISP_SHIM_IO_LOGGER_BINARY_H_
#define CRISP_SHIM_IO_LOGGER_BINARY_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

class LoggerBinary {
 public:
  // `uri`: scheme "binary" or "binary-v2", an absolute path, and key=value pairs that
  // become arguments. `out` and `err` are the read ends.
  static absl::StatusOr<std::unique_ptr<LoggerBinary>> Start(Loop* loop, Children* children,
                                                             absl::string_view uri,
                                                             const std::string& container_id,
                                                             const std::string& container_namespace,
                                                             UniqueFd out, UniqueFd err);
  ~LoggerBinary();

  // Called once.
  void OnReady(absl::AnyInvocable<void(absl::Status)> ready);

 private:
  LoggerBinary(Loop* loop, Children* children) : loop_(loop), children_(children) {}

  void Done(absl::Status status);

  Loop* const loop_;
  Children* const children_;
  pid_t pid_ = 0;
  bool needs_byte_ = false;
  UniqueFd ready_fd_;
  Loop::Id watch_ = 0;
  Loop::Id timer_ = 0;
  absl::AnyInvocable<void(absl::Status)> ready_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_LOGGER_BINARY_H_

// Streams as containerd names them: the scheme of stdout decides.
//
//   all empty                no streams
//   /path (no scheme)        FIFOs
//   file:///path             appended to; stdout and stderr share it
//   binary:///exe?key=value  a logging program; binary-v2:// says ready by a byte
//
// Both ends of a client's output FIFO are held open, so that a client that goes and comes
// back breaks nothing; of an input FIFO the writing end is held until CloseIO.
//
// Errors: InvalidArgument for another scheme; errno, naming the path.
#ifndef CRISP_SHIM_IO_OPEN_STDIO_H_
#define CRISP_SHIM_IO_OPEN_STDIO_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "shim/io/process_io.h"
#include "shim/loop/children.h"
#include "shim/loop/loop.h"

namespace crisp::shim {

// Who owns a task's pipes, its execs' included: an exec's request does not say. Root in a user
// namespace can reopen them so. The launcher gives them to the process's user in the end, as
// runc does, and leaves the group.
struct StreamOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Stdio {
  std::string in, out, err;
  bool terminal = false;
  StreamOwner owner;
  std::string container_id, container_namespace;  // For a logging program.
};

absl::StatusOr<std::unique_ptr<ProcessIo>> OpenStdio(Loop* loop, Children* children,
                                                     const Stdio& stdio);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_OPEN_STDIO_H_

// The command line, in Go's manner because containerd writes it: flags first, with one
// dash or two, "-flag value" or "-flag=value", then one action.
//
// Errors: InvalidArgument names the flag.
#ifndef CRISP_SHIM_MAIN_OPTIONS_H_
#define CRISP_SHIM_MAIN_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace crisp::shim {

struct Options {
  std::string action;  // "start", "delete", "serve"; empty: containerd's daemon.
  std::string id;
  std::string container_namespace;  // -namespace
  std::string address;              // containerd's gRPC socket.
  std::string publish_binary;
  std::string bundle;
  std::string state;   // serve: the shim's own directory.
  int socket_fd = -1;  // serve: the listening socket.
  bool debug = false;
  bool version = false;
  bool info = false;
};

absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& args);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_OPTIONS_H_

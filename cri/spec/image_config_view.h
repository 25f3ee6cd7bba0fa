// The part of an image's configuration that shapes a process, whoever read it.
#ifndef CRISP_CRI_SPEC_IMAGE_CONFIG_VIEW_H_
#define CRISP_CRI_SPEC_IMAGE_CONFIG_VIEW_H_

#include <string>
#include <vector>

namespace crisp::cri {

struct ImageConfigView {
  std::vector<std::string> env;  // "KEY=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string working_dir;
  std::string user;         // "", "user", "uid", "user:group", "uid:gid", ...
  std::string stop_signal;  // "", "SIGTERM", "TERM", "15", "SIGRTMIN+3"
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_SPEC_IMAGE_CONFIG_VIEW_H_

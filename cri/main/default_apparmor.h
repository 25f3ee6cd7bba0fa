// The AppArmor profile that RuntimeDefault means: what container runtimes usually confine
// with, under a name of crisp's own.
//
// Threads: a free function, for start-up.
// Errors:  errno or Unavailable when apparmor_parser is not there or does not take it; its
//          words are in the message.
// Crash:   the kernel keeps the profile; loading it again replaces it.
#ifndef CRISP_CRI_MAIN_DEFAULT_APPARMOR_H_
#define CRISP_CRI_MAIN_DEFAULT_APPARMOR_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

// Loads it and returns its name.
absl::StatusOr<std::string> LoadDefaultApparmorProfile();

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_DEFAULT_APPARMOR_H_

// The programs that are installed with crispd.
//
// Threads: a free function.
// Errors:  NotFound says where it was looked for, and the key of the configuration that
//          can say where it is.
#ifndef CRISP_CRI_MAIN_INSTALLED_H_
#define CRISP_CRI_MAIN_INSTALLED_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

// `configured` if it is not empty; else beside this executable, then in
// /usr/libexec/crisp.
absl::StatusOr<std::string> FindInstalled(const std::string& name, const std::string& configured,
                                          const std::string& key);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_INSTALLED_H_

// Which boot of the machine this is: records of an earlier boot describe
// processes, mounts and namespaces that no longer exist.
#ifndef CRISP_BASE_BOOT_ID_H_
#define CRISP_BASE_BOOT_ID_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp {

// The kernel's boot id (random(4)), without a newline.
absl::StatusOr<std::string> BootId();

}  // namespace crisp

#endif  // CRISP_BASE_BOOT_ID_H_

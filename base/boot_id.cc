#include "base/boot_id.h"

#include "absl/strings/ascii.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp {

absl::StatusOr<std::string> BootId() {
  CRISP_ASSIGN_OR_RETURN(std::string id, ReadFile("/proc/sys/kernel/random/boot_id", 64));
  return std::string(absl::StripAsciiWhitespace(id));
}

}  // namespace crisp

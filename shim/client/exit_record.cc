#include "shim/client/exit_record.h"

#include "absl/strings/str_cat.h"

namespace crisp::shim {

absl::StatusOr<ExitRecord> ReadExitRecordOf(const std::string& directory, const std::string& id) {
  return ReadExitRecord(absl::StrCat(directory, "/exits/", id, ".json"));
}

}  // namespace crisp::shim

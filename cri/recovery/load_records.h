// What an earlier crispd left on disk, brought back into memory.
//
// Threads: for start-up, before anything else uses the stores.
// Errors:  errno of the directory itself. A record that cannot be read is not an
//          error of the whole: it is listed among the damaged ones.
// Crash:   changes nothing on disk.
#ifndef CRISP_CRI_RECOVERY_LOAD_RECORDS_H_
#define CRISP_CRI_RECOVERY_LOAD_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

struct LoadedRecords {
  int pods = 0;
  int containers = 0;
  // Sandboxes whose record is from an earlier boot: their processes, namespaces
  // and mounts are gone, whatever the record says.
  std::vector<std::string> from_earlier_boot;
  // Ids whose record is missing or does not read back whole.
  std::vector<std::string> damaged_pods;
  std::vector<std::string> damaged_containers;
};

absl::StatusOr<LoadedRecords> LoadRecords(const ContainerContext& context);

// Names in a directory, without "." and ".."; none for a directory that is not there.
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECOVERY_LOAD_RECORDS_H_

// What is to be written into a cgroup's files, in order, and the writing of it:
// wholly or not at all.
//
// Threads: free functions; one at a time for a cgroup.
// Errors:  errno kept. FailedPrecondition names the field of the resources whose
//          controller, or file, the host lacks.
// Crash:   what was written stays.
#ifndef CRISP_CGROUP_SETTINGS_H_
#define CRISP_CGROUP_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cgroup/hierarchies.h"
#include "cgroup/resources.h"

namespace crisp::cgroup {

struct Setting {
  enum class Undo {
    kWhole,       // The file reads as it is written.
    kByKey,       // One line a key, the first word; `reset` for a key that had none.
    kOomControl,  // memory.oom_control of v1.
  };
  std::string file;  // Absolute.
  std::string value;
  std::string field;  // Of the resources.
  Undo undo = Undo::kWhole;
  std::string reset;
  bool optional = false;  // Skipped if the host does not have the file.
};

// `resources` without the devices as settings of the cgroup at `path`, which exists.
absl::StatusOr<std::vector<Setting>> SettingsV1(const Hierarchies& hosts, const std::string& path,
                                                const Resources& resources);
absl::StatusOr<std::vector<Setting>> SettingsV2(const std::string& directory,
                                                const Resources& resources);

// Values written so far; puts them back when it goes, unless committed.
class AppliedSettings {
 public:
  AppliedSettings() = default;
  AppliedSettings(const AppliedSettings&) = delete;
  AppliedSettings& operator=(const AppliedSettings&) = delete;
  ~AppliedSettings();

  absl::Status Apply(const std::vector<Setting>& settings);
  void Commit() { undo_.clear(); }

 private:
  struct Write {
    std::string file, value;
  };
  std::vector<Write> undo_;
};

// One write(2) to a file of a cgroup.
absl::Status WriteSetting(const std::string& file, const std::string& value);

}  // namespace crisp::cgroup

#endif  // CRISP_CGROUP_SETTINGS_H_

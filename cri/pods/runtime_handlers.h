// The runtime handlers that a pod may ask for, each with the task driver that
// runs it.
//
// Ownership: owns the drivers.
// Threads:   immutable once serving begins.
// Errors:    InvalidArgument lists the handlers that exist.
#ifndef CRISP_CRI_PODS_RUNTIME_HANDLERS_H_
#define CRISP_CRI_PODS_RUNTIME_HANDLERS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

class RuntimeHandlers {
 public:
  // "" is the default handler; several names may share one driver.
  void Add(const std::string& name, std::shared_ptr<TaskDriver> driver) {
    drivers_[name] = std::move(driver);
  }

  absl::StatusOr<TaskDriver*> Find(const std::string& name) const {
    const auto found = drivers_.find(name);
    if (found != drivers_.end()) return found->second.get();
    return absl::InvalidArgumentError(
        absl::StrCat("runtime_handler: unknown handler \"", name, "\"; this node has ",
                     absl::StrJoin(Names(), ", ", [](std::string* out, const std::string& handler) {
                       absl::StrAppend(out, handler.empty() ? "\"\" (the default)" : handler);
                     })));
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, driver] : drivers_) names.push_back(name);
    return names;
  }

  // Each driver once, however many names it has.
  std::vector<TaskDriver*> Drivers() const {
    std::map<TaskDriver*, bool> seen;
    std::vector<TaskDriver*> drivers;
    for (const auto& [name, driver] : drivers_) {
      if (!seen.emplace(driver.get(), true).second) continue;
      drivers.push_back(driver.get());
    }
    return drivers;
  }

 private:
  std::map<std::string, std::shared_ptr<TaskDriver>> drivers_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_RUNTIME_HANDLERS_H_

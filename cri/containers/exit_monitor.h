// What happens when a task ends: its end is recorded at once, so that List and
// Status tell the truth, and the task is deleted afterwards, in the background.
//
// Ownership: borrows the stores and the background threads.
// Threads:   OnExit is called by the drivers' threads and does not block.
// Errors:    a task that cannot be deleted is logged; RemoveContainer and the next
//            start of crispd try again.
#ifndef CRISP_CRI_CONTAINERS_EXIT_MONITOR_H_
#define CRISP_CRI_CONTAINERS_EXIT_MONITOR_H_

#include <string>

#include "cri/containers/container_context.h"

namespace crisp::cri {

class ExitMonitor {
 public:
  explicit ExitMonitor(const ContainerContext* context) : context_(context) {}

  void OnExit(const std::string& id, const TaskExit& exit);

 private:
  const ContainerContext* const context_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_EXIT_MONITOR_H_

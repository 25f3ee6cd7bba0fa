// The native driver's requests and the shim's answers, as the driver's values.
//
// Threads: free functions.
#ifndef CRISP_CRI_TASK_NATIVE_MESSAGES_H_
#define CRISP_CRI_TASK_NATIVE_MESSAGES_H_

#include "absl/status/status.h"
#include "api/shim/v1/shim.pb.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

shim::v1::CreateRequest CreateRequestOf(const TaskSpec& spec);
TaskStatus TaskStatusOf(shim::wire::Status status);
TaskExit TaskExitOf(const shim::v1::Exit& exit);

// What went wrong inside a container, or on the way to one, that the driver knows to be
// there: a file that is missing in it is no task that is missing.
absl::Status FromLaunch(const absl::Status& status);

}  // namespace crisp::cri

#endif  // CRISP_CRI_TASK_NATIVE_MESSAGES_H_

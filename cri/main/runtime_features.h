// What runtime handlers can do on this host, found out by trying.
//
// Threads: free functions, for start-up; they leave nothing behind.
// Errors:  none: what cannot be tried is not there, and the log says why.
#ifndef CRISP_CRI_MAIN_RUNTIME_FEATURES_H_
#define CRISP_CRI_MAIN_RUNTIME_FEATURES_H_

#include <string>

#include "cri/config/config.h"
#include "cri/task/task_driver.h"

namespace crisp::cri {

// Of crisp's own shim: what the kernel can. `root` is the directory below which containers'
// root filesystems and volumes are.
TaskDriver::Features NativeFeatures(const std::string& root);

// Of an OCI runtime: what `runc features` says of itself.
TaskDriver::Features OciRuntimeFeatures(const RuntimeHandlerConfig& runtime);

}  // namespace crisp::cri

#endif  // CRISP_CRI_MAIN_RUNTIME_FEATURES_H_

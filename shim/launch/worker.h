// The processes beside a launch: forks of the shim that do what may block or allocate.
//
// Never return: they report through the socket and exit.
#ifndef CRISP_SHIM_LAUNCH_WORKER_H_
#define CRISP_SHIM_LAUNCH_WORKER_H_

#include <string>

#include "cgroup/hierarchies.h"
#include "shim/launch/launch.h"

namespace crisp::shim {

// `home` is the worker's end of the socket to the shim, `container` a pidfd.
[[noreturn]] void RunContainerWorker(const ContainerLaunch& request,
                                     const cgroup::Hierarchies& hosts, int home);
[[noreturn]] void RunExecWorker(const ExecLaunch& request, const cgroup::Hierarchies& hosts,
                                int container, int home);

// Exit code 0 when all went well.
[[noreturn]] void RunPoststartWorker(const ContainerFacts& facts, const std::string& bundle);
[[noreturn]] void RunTeardownWorker(const ContainerFacts& facts, const cgroup::Hierarchies& hosts,
                                    const std::string& bundle);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_WORKER_H_

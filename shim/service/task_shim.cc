// Connect, Shutdown, Checkpoint: the shim itself.
#include <unistd.h>

#include <utility>

#include "api/shim/wire/task.pb.h"
#include "base/version.h"
#include "shim/service/methods.h"

namespace crisp::shim {

// Also for an id that is not known: containerd asks so whether the shim is alive.
void TaskConnect(Service& service, absl::string_view payload, Reply reply) {
  wire::ConnectRequest request;
  if (!Parse(payload, &request, reply)) return;
  wire::ConnectResponse response;
  response.set_shim_pid(static_cast<uint32_t>(::getpid()));
  if (const auto task = service.tasks().Find(request.id()); task.ok()) {
    response.set_task_pid(static_cast<uint32_t>((*task)->init().pid));
  }
  response.set_version(kCrispVersion);
  std::move(reply).Ok(response);
}

// Comes after every Delete of a container: as long as there is another, we stay.
void TaskShutdown(Service& service, absl::string_view payload, Reply reply) {
  wire::ShutdownRequest request;
  if (!Parse(payload, &request, reply)) return;
  const bool last = service.tasks().empty();
  std::move(reply).Ok(wire::Empty());
  if (last) service.Shutdown();
}

void TaskCheckpoint(Service&, absl::string_view, Reply reply) {
  std::move(reply).Error(absl::UnimplementedError("checkpoints are not supported"));
}

}  // namespace crisp::shim

#include "shim/service/service.h"

#include "absl/strings/str_cat.h"
#include "shim/service/methods.h"

namespace crisp::shim {
namespace {

struct Entry {
  absl::string_view name;
  Method method;
};

constexpr Entry kTask[] = {
    {"Checkpoint", TaskCheckpoint},
    {"CloseIO", TaskCloseIO},
    {"Connect", TaskConnect},
    {"Create", TaskCreate},
    {"Delete", TaskDelete},
    {"Exec", TaskExec},
    {"Kill", TaskKill},
    {"Pause", TaskPause},
    {"Pids", TaskPids},
    {"ResizePty", TaskResizePty},
    {"Resume", TaskResume},
    {"Shutdown", TaskShutdown},
    {"Start", TaskStart},
    {"State", TaskState},
    {"Stats", TaskStats},
    {"Update", TaskUpdate},
    {"Wait", TaskWait},
};

constexpr Entry kPod[] = {
    {"Attach", PodAttach}, {"AwaitDetach", PodAwaitDetach},
    {"Create", PodCreate}, {"ExecSync", PodExecSync},
    {"List", PodList},     {"ReopenLog", PodReopenLog},
    {"Stats", PodStats},   {"Watch", PodWatch},
};

template <size_t N>
Method Find(const Entry (&entries)[N], absl::string_view name) {
  for (const Entry& entry : entries) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

}  // namespace

void Service::Handle(absl::string_view service, absl::string_view method, absl::string_view payload,
                     Reply reply) {
  Method found = nullptr;
  if (service == "containerd.task.v2.Task" || service == "containerd.task.v3.Task") {
    found = Find(kTask, method);
  } else if (service == "crisp.shim.v1.Shim") {
    found = Find(kPod, method);
    reply.AllowLong();
  } else {
    return std::move(reply).Error(absl::UnimplementedError(absl::StrCat("service ", service)));
  }
  if (found == nullptr) {
    return std::move(reply).Error(
        absl::UnimplementedError(absl::StrCat("method ", service, "/", method)));
  }
  found(*this, payload, std::move(reply));
}

}  // namespace crisp::shim

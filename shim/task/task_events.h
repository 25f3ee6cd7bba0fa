// Tells of what happens to tasks, in the order it happens: to containerd (the /tasks/...
// topics) and to crispd (exits and OOM kills).
//
// The order that containerd relies on is the order of the calls: created, started,
// exited, deleted for a task, added, started, exited for an exec, and a task's own exit
// after those of its execs. Task sees to it.
//
// Threads: the loop's.
#ifndef CRISP_SHIM_TASK_TASK_EVENTS_H_
#define CRISP_SHIM_TASK_TASK_EVENTS_H_

#include <google/protobuf/message_lite.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "api/shim/wire/events.pb.h"
#include "shim/task/event_log.h"
#include "shim/task/exit_record.h"

namespace crisp::shim {

wire::Timestamp ToTimestamp(absl::Time time);

class TaskEvents {
 public:
  using Publish = std::function<void(absl::string_view topic, absl::string_view type,
                                     const google::protobuf::MessageLite& event)>;

  explicit TaskEvents(Publish publish) : publish_(std::move(publish)) {}

  void Created(const wire::TaskCreate& event);
  void Started(const std::string& id, pid_t pid);
  // `exec_id` empty: the task's init.
  void Exited(const std::string& id, const std::string& exec_id, const ExitRecord& exit);
  void Deleted(const std::string& id, const ExitRecord& exit);
  void Oom(const std::string& id);
  void ExecAdded(const std::string& id, const std::string& exec_id);
  void ExecStarted(const std::string& id, const std::string& exec_id, pid_t pid);
  void Paused(const std::string& id);
  void Resumed(const std::string& id);

  EventLog& log() { return log_; }

 private:
  const Publish publish_;
  EventLog log_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_TASK_EVENTS_H_

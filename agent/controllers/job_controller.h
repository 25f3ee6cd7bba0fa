// Job: pods that run to their end, so many of them, beside each other as allowed.
//
// A pod that has ended is counted once, in the same write that remembers it, so that
// neither a crash nor somebody who deletes the pod makes the count wrong. Of an Indexed
// job each completion is one index, and what is done is written as such.
#ifndef CRISP_AGENT_CONTROLLERS_JOB_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_JOB_CONTROLLER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "agent/controllers/controller.h"

namespace crisp::agent {

class JobController : public Controller {
 public:
  explicit JobController(const ControllerContext& context) : context_(context) {}
  absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) override;

 private:
  // Why a job ends as failed; empty reason if it does not.
  struct Failure {
    std::string reason, message;
  };

  absl::StatusOr<ObjectPtr> CountPods(const ObjectKey& key, const std::vector<ObjectPtr>& pods);
  Failure WhyFailed(const Json& job, const std::vector<ObjectPtr>& active) const;
  absl::StatusOr<absl::Duration> Work(const Json& job, std::vector<ObjectPtr> active,
                                      absl::Time last_failure);
  absl::Status CreatePods(const Json& job, const std::vector<ObjectPtr>& active, int64_t count);
  absl::Status DropStrays(const Json& job, std::vector<ObjectPtr>* active);
  absl::Status Suspend(const Json& job, const std::vector<ObjectPtr>& active);
  absl::Status Finish(const Json& job, const std::vector<ObjectPtr>& active,
                      const Failure& failure);
  absl::StatusOr<absl::Duration> RemoveWhenOld(const Json& job);

  const ControllerContext& context_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_JOB_CONTROLLER_H_

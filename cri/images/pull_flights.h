// Pulls under way, so that callers who want the same one share it.
//
// The work runs on a thread of its own: a caller who goes away does not end it.
// When the last one has gone it is told to stop, and whoever comes then begins anew.
//
// Ownership: owns the threads; the destructor stops the work and waits for it.
// Threads:   safe.
// Errors:    the work's; Cancelled for a caller who went away.
#ifndef CRISP_CRI_IMAGES_PULL_FLIGHTS_H_
#define CRISP_CRI_IMAGES_PULL_FLIGHTS_H_

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace crisp::cri {

class PullFlights {
 public:
  using Cancelled = std::function<bool()>;
  // Gets told through `cancelled` that nobody waits any more.
  using Work = std::function<absl::StatusOr<std::string>(const Cancelled& cancelled)>;

  PullFlights() = default;
  ~PullFlights();
  PullFlights(const PullFlights&) = delete;
  PullFlights& operator=(const PullFlights&) = delete;

  absl::StatusOr<std::string> Run(const std::string& key, const Cancelled& gone, Work work);

 private:
  struct Flight;

  // Joins threads whose work has ended.
  void Reap() ABSL_LOCKS_EXCLUDED(mu_);

  absl::Mutex mu_;
  absl::CondVar changed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_ ABSL_GUARDED_BY(mu_);
  std::list<std::shared_ptr<Flight>> all_ ABSL_GUARDED_BY(mu_);  // With their threads.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_PULL_FLIGHTS_H_

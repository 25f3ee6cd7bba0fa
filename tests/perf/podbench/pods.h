// Pods that stay for as long as a measurement needs them.
//
// Ownership: owns the pods: they are removed at the end, whatever happened.
// Threads:   one.
#ifndef CRISP_TESTS_PERF_PODBENCH_PODS_H_
#define CRISP_TESTS_PERF_PODBENCH_PODS_H_

#include <iostream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {

// For calls whose time does not matter.
inline const Timing kDiscard = [](const std::string&, absl::Duration) {};

// A number that no other pod of this process has.
int NextSerial();

class Pods {
 public:
  explicit Pods(Target* target) : target_(target) {}
  ~Pods() {
    for (const PodIds& ids : ids_) {
      if (const absl::Status ended = target_->EndPod(ids, kDiscard); !ended.ok()) {
        std::cerr << "a pod stays: " << ended << "\n";
      }
    }
  }
  Pods(const Pods&) = delete;
  Pods& operator=(const Pods&) = delete;

  absl::Status Start(const PodOptions& options) {
    const int serial = NextSerial();
    PodIds ids;
    absl::Status started = target_->StartPod(options, serial, kDiscard, &ids);
    if (!ids.pod.empty()) ids_.push_back(ids);
    if (started.ok()) serials_.push_back(serial);
    return started;
  }

  const std::vector<PodIds>& ids() const { return ids_; }
  const std::vector<int>& serials() const { return serials_; }

 private:
  Target* const target_;
  std::vector<PodIds> ids_;
  std::vector<int> serials_;
};

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_PODS_H_

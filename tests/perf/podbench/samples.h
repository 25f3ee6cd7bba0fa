// Timings of one operation on one target, and what they add up to.
#ifndef CRISP_TESTS_PERF_PODBENCH_SAMPLES_H_
#define CRISP_TESTS_PERF_PODBENCH_SAMPLES_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace crisp::podbench {

class Samples {
 public:
  void Add(absl::Duration sample) { samples_.push_back(absl::ToDoubleMilliseconds(sample)); }
  size_t size() const { return samples_.size(); }
  const std::vector<double>& milliseconds() const { return samples_; }

  // Nearest rank, in milliseconds; 0 without samples. `p` from 0 to 100.
  double Percentile(double p) const;

 private:
  std::vector<double> samples_;  // In the order of the rounds.
};

// Median over the rounds of ours divided by theirs, round by round: what a slow
// moment of the machine does to both cancels out. 0 without common rounds.
double MedianRatio(const Samples& ours, const Samples& theirs);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_SAMPLES_H_

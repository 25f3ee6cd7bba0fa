#include "tests/perf/podbench/samples.h"

#include <algorithm>
#include <cmath>

namespace crisp::podbench {
namespace {

double NearestRank(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p / 100 * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

double Samples::Percentile(double p) const { return NearestRank(samples_, p); }

double MedianRatio(const Samples& ours, const Samples& theirs) {
  std::vector<double> ratios;
  const size_t rounds = std::min(ours.size(), theirs.size());
  for (size_t i = 0; i < rounds; ++i) {
    if (theirs.milliseconds()[i] > 0) {
      ratios.push_back(ours.milliseconds()[i] / theirs.milliseconds()[i]);
    }
  }
  return NearestRank(std::move(ratios), 50);
}

}  // namespace crisp::podbench

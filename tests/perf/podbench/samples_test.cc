#include "tests/perf/podbench/samples.h"

#include <gtest/gtest.h>

namespace crisp::podbench {
namespace {

Samples Of(std::initializer_list<int> milliseconds) {
  Samples samples;
  for (const int ms : milliseconds) samples.Add(absl::Milliseconds(ms));
  return samples;
}

TEST(SamplesTest, PercentilesAreNearestRank) {
  const Samples samples = Of({50, 10, 40, 20, 30});
  EXPECT_DOUBLE_EQ(samples.Percentile(50), 30);
  EXPECT_DOUBLE_EQ(samples.Percentile(90), 50);
  EXPECT_DOUBLE_EQ(samples.Percentile(1), 10);
  EXPECT_DOUBLE_EQ(Samples().Percentile(50), 0);
}

TEST(SamplesTest, RatiosArePairedByRound) {
  // The machine was slow in the second round, for both.
  EXPECT_DOUBLE_EQ(MedianRatio(Of({10, 100, 10}), Of({20, 200, 40})), 0.5);
  EXPECT_DOUBLE_EQ(MedianRatio(Samples(), Of({1})), 0);
}

}  // namespace
}  // namespace crisp::podbench

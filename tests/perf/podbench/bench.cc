#include "tests/perf/podbench/bench.h"

#include <algorithm>
#include <atomic>
#include <iostream>
#include <random>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "tests/perf/podbench/pods.h"

namespace crisp::podbench {
namespace {

class FirstError {
 public:
  void Note(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    if (status_.ok()) status_ = status;
  }
  absl::Status status() const {
    absl::MutexLock lock(&mu_);
    return status_;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<double> LivesPerSecond(Target& target, const PodOptions& options, int parallel,
                                      int lives) {
  std::atomic<int> left{lives};
  FirstError error;
  const absl::Duration start = Clock::Real()->Steady();
  std::vector<std::thread> threads;
  for (int i = 0; i < parallel; ++i) {
    threads.emplace_back([&] {
      while (left-- > 0 && error.status().ok()) {
        error.Note(target.LivePod(options, NextSerial(), kDiscard));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CRISP_RETURN_IF_ERROR(error.status());
  return lives / absl::ToDoubleSeconds(Clock::Real()->Steady() - start);
}

}  // namespace

int NextSerial() {
  static std::atomic<int> last{0};
  return ++last;
}

absl::StatusOr<std::vector<Operations>> MeasureLatency(const Targets& targets,
                                                       const PodOptions& options, int rounds,
                                                       int warmup) {
  std::vector<Operations> results(targets.size());
  std::vector<size_t> order(targets.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 random(std::random_device{}());
  for (int round = -warmup; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t i : order) {
      const Timing record = [&results, i](const std::string& operation, absl::Duration took) {
        results[i][operation].Add(took);
      };
      CRISP_RETURN_IF_ERROR(
          targets[i]->LivePod(options, NextSerial(), round < 0 ? kDiscard : record));
    }
    if (round > 0 && round % 20 == 0) {
      std::cerr << "  " << round << " of " << rounds << " rounds\n";
    }
  }
  return results;
}

absl::StatusOr<std::vector<double>> MeasureThroughput(const Targets& targets,
                                                      const PodOptions& options, int parallel,
                                                      int lives, int repeats) {
  std::vector<std::vector<double>> rates(targets.size());
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (size_t i = 0; i < targets.size(); ++i) {
      CRISP_ASSIGN_OR_RETURN(const double rate,
                             LivesPerSecond(*targets[i], options, parallel, lives));
      rates[i].push_back(rate);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& of_target : rates) {
    std::sort(of_target.begin(), of_target.end());
    medians.push_back(of_target[of_target.size() / 2]);
  }
  return medians;
}

}  // namespace crisp::podbench

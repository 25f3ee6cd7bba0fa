#include "cri/images/pull_flights.h"

#include <atomic>
#include <exception>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "base/from_exception.h"

namespace crisp::cri {

struct PullFlights::Flight {
  std::atomic<bool> stop{false};
  std::thread thread;
  int callers = 1;  // The rest under mu_.
  absl::optional<absl::StatusOr<std::string>> result;
};

namespace {

// What the work reads is a registry's, and nobody else is on its thread to catch what a
// library makes of that.
absl::StatusOr<std::string> Guarded(const PullFlights::Work& work,
                                    const PullFlights::Cancelled& cancelled) {
  try {
    return work(cancelled);
  } catch (const std::exception& error) {
    return FromException(error);
  }
}

}  // namespace

PullFlights::~PullFlights() {
  std::list<std::shared_ptr<Flight>> all;
  {
    absl::MutexLock lock(&mu_);
    all.swap(all_);
    flights_.clear();
  }
  for (const auto& flight : all) flight->stop = true;
  for (const auto& flight : all) flight->thread.join();
}

void PullFlights::Reap() {
  std::list<std::shared_ptr<Flight>> ended;
  {
    absl::MutexLock lock(&mu_);
    for (auto it = all_.begin(); it != all_.end();) {
      const auto next = std::next(it);
      if ((*it)->result.has_value()) ended.splice(ended.end(), all_, it);
      it = next;
    }
  }
  for (const auto& flight : ended) flight->thread.join();
}

absl::StatusOr<std::string> PullFlights::Run(const std::string& key, const Cancelled& gone,
                                             Work work) {
  Reap();
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Flight> flight;
  if (const auto found = flights_.find(key); found != flights_.end()) {
    flight = found->second;
    ++flight->callers;
  } else {
    flight = std::make_shared<Flight>();
    const auto fly = [this, key, self = flight, work = std::move(work)] {
      absl::StatusOr<std::string> result = Guarded(work, [&self] { return self->stop.load(); });
      absl::MutexLock done(&mu_);
      self->result = std::move(result);
      const auto mine = flights_.find(key);
      if (mine != flights_.end() && mine->second == self) flights_.erase(mine);
      changed_.SignalAll();
    };
    // Known only once it flies: else others would wait for it in vain.
    try {
      flight->thread = std::thread(fly);
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("start a thread: ", error.what()));
    }
    flights_[key] = flight;
    all_.push_back(flight);
  }
  while (!flight->result.has_value()) {
    changed_.WaitWithTimeout(&mu_, absl::Milliseconds(50));
    if (flight->result.has_value() || !gone || !gone()) continue;
    if (--flight->callers == 0) {
      flight->stop = true;
      const auto mine = flights_.find(key);
      if (mine != flights_.end() && mine->second == flight) flights_.erase(mine);
    }
    return absl::CancelledError("the caller went away during the pull");
  }
  return *flight->result;
}

}  // namespace crisp::cri

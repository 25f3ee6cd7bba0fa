#include "cri/images/pull_progress.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/log.h"

namespace crisp::cri {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(5);

}  // namespace

PullProgress::PullProgress(std::string image)
    : image_(std::move(image)), start_(absl::Now()), thread_([this] { Run(); }) {}

PullProgress::~PullProgress() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void PullProgress::Done() { Log("image is pulled"); }

void PullProgress::Run() {
  absl::MutexLock lock(&mu_);
  while (!mu_.AwaitWithTimeout(absl::Condition(&stop_), kInterval)) Log("image is being pulled");
}

void PullProgress::Log(const char* what) const {
  const absl::Duration elapsed = absl::Now() - start_;
  const double seconds = std::max(absl::ToDoubleSeconds(elapsed), 1e-3);
  LogInfo(what, {{"image", image_},
                 {"bytes", bytes.load()},
                 {"of", total_bytes.load()},
                 {"MB_per_s", absl::StrFormat("%.1f", bytes.load() / 1e6 / seconds)},
                 {"layers", absl::StrFormat("%d/%d", layers_unpacked.load(), layers.load())},
                 {"ms", absl::ToInt64Milliseconds(elapsed)}});
}

}  // namespace crisp::cri

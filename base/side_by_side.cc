#include "base/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"

namespace crisp {

void SideBySide(size_t count, size_t most, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto take = [&] {
    for (size_t at = next++; at < count; at = next++) work(at);
  };
  std::vector<std::thread> others;
  const absl::Cleanup join = [&others] {
    for (std::thread& other : others) other.join();
  };
  try {
    while (others.size() + 1 < std::min(count, most)) others.emplace_back(take);
  } catch (const std::system_error&) {
    // A fork bomb, say, has all the host's processes. It takes longer then.
  }
  take();
}

}  // namespace crisp

// Any bytes on the shim's socket, in any chunks: the same frames, and no more memory than
// one of them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "api/shim/wire/ttrpc.pb.h"
#include "shim/ttrpc/frame.h"

namespace {

constexpr size_t kMaxPayload = 64;

struct Seen {
  uint32_t stream;
  std::string payload;
  bool fits;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> Feed(absl::string_view bytes, size_t chunk) {
  crisp::shim::FrameParser parser(kMaxPayload);
  std::vector<Seen> seen;
  while (!bytes.empty()) {
    const absl::string_view part = bytes.substr(0, chunk);
    parser.Feed(part,
                [&](const crisp::shim::FrameHeader& header, absl::string_view payload, bool fits) {
                  if (payload.size() > kMaxPayload) __builtin_trap();
                  if (fits != (header.length <= kMaxPayload)) __builtin_trap();
                  if (fits && payload.size() != header.length) __builtin_trap();
                  seen.push_back({header.stream, std::string(payload), fits});
                });
    bytes.remove_prefix(part.size());
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t chunk = data[0] % 17 + 1;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<Seen> whole = Feed(bytes, bytes.size() + 1);
  if (Feed(bytes, chunk) != whole) __builtin_trap();
  for (const Seen& frame : whole) {
    crisp::shim::wire::Request request;
    (void)request.ParseFromString(frame.payload);
  }
  return 0;
}

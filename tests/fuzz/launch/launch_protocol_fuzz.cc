// The messages between shim, worker and init: any bytes are a message or an error, and a
// message that was read is written again as it was.
//
//   bazel build --config=fuzz //tests/fuzz/launch:launch_protocol
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "shim/launch/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = crisp::shim::DecodeMessage(bytes);
  if (!message.ok()) return 0;
  const auto again = crisp::shim::DecodeMessage(crisp::shim::EncodeMessage(*message));
  if (!again.ok() || again->kind != message->kind || again->step != message->step ||
      again->body != message->body || again->pid != message->pid ||
      again->failure.code() != message->failure.code()) {
    std::abort();
  }
  return 0;
}

// Any bytes on a CNI plugin's stdout: a checked result or an error, never worse.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "netns/cni/network_config.h"
#include "netns/cni/result.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = crisp::netns::ParseResult(text, "1.0.0");
  if (result.ok()) {
    const auto ips = crisp::netns::PodIps(*result, "eth0",
                                          [](const std::string& path) { return path == "/ns"; });
    if (ips.ok() && ips->empty()) __builtin_trap();
  }
  if (crisp::netns::ParseError(text, "", 1).ok()) __builtin_trap();
  (void)crisp::netns::ParseVersions(text);
  const auto list = crisp::netns::ParseNetworkList(text);
  // What the cache stores of a configuration must read back.
  if (list.ok() && !crisp::netns::ParseNetworkList(list->bytes).ok()) __builtin_trap();
  (void)crisp::netns::ParseSinglePlugin(text);
  return 0;
}

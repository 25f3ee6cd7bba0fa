// Any bytes in a pod's volume annotations: parsed or refused, never worse.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "volumes/volume_mount.h"
#include "volumes/volume_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)crisp::volumes::ParseVolumes(text);
  (void)crisp::volumes::ParseVolumeMounts(text);
  (void)crisp::volumes::ExpandSubPathExpr(text, {{"A", "value"}, {"EMPTY", ""}});
  (void)crisp::volumes::CleanSubPath(text);
  return 0;
}

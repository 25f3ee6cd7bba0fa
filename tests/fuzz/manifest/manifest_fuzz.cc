// Manifests from anywhere: reading one never crashes, hangs or grows without
// bound, and what was read as YAML can be written and read again.
//
//   bazel build --config=fuzz //tests/fuzz/manifest
//   bazel-bin/tests/fuzz/manifest/manifest agent/testdata
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/manifest/documents.h"
#include "agent/manifest/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  (void)crisp::agent::ParseDocuments("fuzz.yaml", text);
  const auto values = crisp::agent::ParseYaml(text);
  if (!values.ok()) return 0;
  for (const auto& value : *values) {
    const std::string yaml = crisp::agent::ToYaml(nlohmann::ordered_json::parse(value.dump()));
    const auto again = crisp::agent::ParseYaml(yaml);
    // Very deep or large values may pass a bound that the shorter text did not.
    if (again.ok() && (again->size() != 1 || again->front() != value)) std::abort();
  }
  return 0;
}

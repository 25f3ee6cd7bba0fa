// Objects from anywhere, YAML or JSON, all the way to what the agent would store: never a crash,
// a hang or an answer without a bound; what it takes is taken again as it stands.
//
// The text is read as it is, and as what is laid over a whole object of each kind, so that
// a few bytes reach deep fields.
//
//   bazel build --config=fuzz //tests/fuzz/manifest:object
//   bazel-bin/tests/fuzz/manifest/object agent/testdata examples/agent
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/manifest/documents.h"
#include "agent/manifest/field_errors.h"
#include "agent/objects/merge.h"
#include "agent/objects/prepare.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

constexpr const char* kBases[] = {
    R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[
        {"name":"c","image":"b","env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":
        "metadata.name"}}}],"ports":[{"containerPort":80}],"resources":{"limits":{"cpu":1}},
        "volumeMounts":[{"name":"v","mountPath":"/v"}],"livenessProbe":{"httpGet":{"port":80}}}],
        "volumes":[{"name":"v","configMap":{"name":"m"}}],"affinity":{"nodeAffinity":{}}}})",
    R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}})",
    R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"k":"dg=="}})",
    R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{
        "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
        "spec":{"containers":[{"name":"c","image":"b"}]}}}})",
    R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"completions":2,
        "completionMode":"Indexed","template":{"spec":{"restartPolicy":"Never",
        "containers":[{"name":"c","image":"b"}]}}}})",
};

void Check(const absl::Status& status) {
  const absl::string_view message = status.message();
  if (message.size() > 2 * FieldErrors::kMostErrors * FieldErrors::kLongestError) std::abort();
  if (!IsUtf8(message)) std::abort();
}

void Store(Json object) {
  std::vector<std::string> warnings;
  absl::Status status = PrepareManifest(&object);
  Check(status);
  if (!status.ok()) return;
  const auto made = PrepareNew(object, &warnings);
  Check(made.status());
  if (!made.ok()) return;
  (void)ThreeWayMerge(object, object, made->object);
  // What was taken stands for itself: it is valid, and has nothing left to be filled in.
  Json again = made->object;
  status = PrepareUpdate(made->object, &again, &warnings);
  if (!status.ok() || again != made->object) std::abort();
}

}  // namespace
}  // namespace crisp::agent

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace crisp::agent;  // NOLINT: the one function of this program.
  static const auto* const bases = [] {
    auto* const out = new std::vector<Json>();
    for (const char* text : kBases) out->push_back(Json::parse(text));
    return out;
  }();
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto documents = ParseRawDocuments("fuzz.yaml", text);
  if (documents.ok()) {
    for (const RawDocument& document : *documents) Store(document.object);
  }
  // As kubectl sends it, and as anybody may.
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_discarded()) Store(json);
  const auto overlays =
      ParseRawDocuments("fuzz.yaml", absl::StrCat("apiVersion: v1\nkind: X\n", text));
  if (!overlays.ok() || overlays->empty()) return 0;
  for (Json object : *bases) {
    Json overlay = overlays->front().object;
    overlay.erase("apiVersion");
    overlay.erase("kind");
    object.merge_patch(overlay);
    Store(std::move(object));
  }
  return 0;
}

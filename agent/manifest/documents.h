// Manifests: text or files to objects, all of them read before any is used.
//
//   ASSIGN(std::vector<Document> documents, LoadDocuments({"pod.yaml"}, std::cin));
//
// Errors: InvalidArgument or Unimplemented that names source, object and field:
//         "pod.yaml: Pod/web: spec.containers[0].volumeDevices: not supported yet".
#ifndef CRISP_AGENT_MANIFEST_DOCUMENTS_H_
#define CRISP_AGENT_MANIFEST_DOCUMENTS_H_

#include <istream>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/manifest/pod.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::agent {

// An object as JSON, nothing of it looked at but apiVersion and kind.
struct RawDocument {
  std::string source;  // The file's name, or "stdin".
  std::string place;   // Where in it: "stdin: document 2", "list.yaml: items[3]".
  nlohmann::json object;
};

// The objects of one text; `kind: List` is unfolded. Empty documents are skipped.
absl::StatusOr<std::vector<RawDocument>> ParseRawDocuments(const std::string& source,
                                                           absl::string_view text);

// Reads each path: a file, a directory (its .yaml, .yml and .json files in name
// order, not those below) or "-" for `in`.
absl::StatusOr<std::vector<RawDocument>> LoadRawDocuments(const std::vector<std::string>& paths,
                                                          std::istream& in);

struct Document {
  std::string source;  // The file's name, or "stdin".
  std::variant<Pod, crisp::volumes::v1::ConfigMap, crisp::volumes::v1::Secret> object;
};

// The same, read as the objects that they are.
absl::StatusOr<std::vector<Document>> ParseDocuments(const std::string& source,
                                                     absl::string_view text);

absl::StatusOr<std::vector<Document>> LoadDocuments(const std::vector<std::string>& paths,
                                                    std::istream& in);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_DOCUMENTS_H_

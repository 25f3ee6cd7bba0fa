// What -f names: files, directories, standard input; YAML or JSON, several documents,
// Lists unfolded.
//
// Errors: InvalidArgument names source and line, or document; nothing is returned of
//         manifests of which one does not read.
#ifndef CRISP_AGENT_COMMANDS_MANIFESTS_H_
#define CRISP_AGENT_COMMANDS_MANIFESTS_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/client/agent_client.h"

namespace crisp::cli {

struct Manifest {
  std::string source;  // The file's name, or "STDIN".
  Json object;
};

// In the order given, directories in name order; `recursive` goes below them.
absl::StatusOr<std::vector<Manifest>> LoadManifests(const std::vector<std::string>& paths,
                                                    bool recursive, std::istream& in);

// Gives an object without a namespace the one of -n ("default" if that is empty).
// InvalidArgument if -n names another one than the object, or its kind is unknown.
absl::Status FillNamespace(const std::string& ns, Json* object);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_COMMANDS_MANIFESTS_H_

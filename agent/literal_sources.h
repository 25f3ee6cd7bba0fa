// --from-literal, --from-file and --from-env-file: keys and values from the
// command line, by kubectl's rules.
//
// Threads: free functions.
// Errors:  InvalidArgument names the argument (and for an env file the line);
//          a file that cannot be read keeps its errno.
#ifndef CRISP_AGENT_LITERAL_SOURCES_H_
#define CRISP_AGENT_LITERAL_SOURCES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace crisp::agent {

struct DataSources {
  std::vector<std::string> literals;   // key=value
  std::vector<std::string> files;      // path, key=path or directory
  std::vector<std::string> env_files;  // path; not beside the other two
};

// Every key with its bytes. Keys obey DataKeyError and stand once. From a
// directory come its regular files, not links and not what is below.
absl::StatusOr<std::map<std::string, std::string>> ReadDataSources(const DataSources& sources);

// NAME=value lines: blanks before a name, empty lines and those that begin with
// '#' are skipped; the value is what follows the first '=', as it stands. A name
// alone takes its value from this process's environment.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseEnvFile(
    absl::string_view text);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_LITERAL_SOURCES_H_

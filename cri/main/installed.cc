#include "cri/main/installed.h"

#include <unistd.h>

#include <climits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/safe_path.h"

namespace crisp::cri {

absl::StatusOr<std::string> FindInstalled(const std::string& name, const std::string& configured,
                                          const std::string& key) {
  std::vector<std::string> candidates;
  if (!configured.empty()) {
    candidates.push_back(configured);
  } else {
    char self[PATH_MAX];
    const ssize_t n = ::readlink("/proc/self/exe", self, sizeof(self));
    if (n > 0) {
      const std::string path(self, static_cast<size_t>(n));
      candidates.push_back(JoinPath(path.substr(0, path.rfind('/')), name));
    }
    candidates.push_back(JoinPath("/usr/libexec/crisp", name));
  }
  for (const std::string& path : candidates) {
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  return absl::NotFoundError(absl::StrCat("no ", name, " at ", absl::StrJoin(candidates, " or "),
                                          "; set ", key, " in the configuration"));
}

}  // namespace crisp::cri

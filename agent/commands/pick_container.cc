#include "agent/commands/pick_container.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace crisp::agent {

absl::StatusOr<std::string> PickContainer(const PodView& pod, const std::string& wanted,
                                          Session& session) {
  const std::vector<std::string> names = pod.ContainerNames();
  std::vector<std::string> all = names;
  for (const std::string& name : pod.InitContainerNames()) all.push_back(name);
  if (!wanted.empty()) {
    if (std::find(all.begin(), all.end(), wanted) != all.end()) return wanted;
    return absl::NotFoundError(absl::StrCat("pod ", pod.name(), " has no container \"",
                                            absl::Utf8SafeCEscape(wanted), "\"; it has ",
                                            absl::StrJoin(all, ", ")));
  }
  if (names.empty()) {
    return absl::NotFoundError(absl::StrCat("pod ", pod.name(), " has no container"));
  }
  if (names.size() > 1) {
    session.err << "Defaulted container \"" << names[0]
                << "\" out of: " << absl::StrJoin(names, ", ") << std::endl;
  }
  return names[0];
}

}  // namespace crisp::agent

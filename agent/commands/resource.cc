#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/commands/commands.h"
#include "base/ids.h"

namespace crisp::agent {

void AddNamespaceOption(CLI::App* verb, std::string* ns) {
  *ns = "default";
  verb->add_option("-n,--namespace", *ns, "The namespace of the objects")->type_name("NAMESPACE");
}

absl::StatusOr<Resource> ParseResource(const std::string& word) {
  if (word == "pod" || word == "pods" || word == "po") return Resource::kPod;
  if (word == "configmap" || word == "configmaps" || word == "cm") return Resource::kConfigMap;
  if (word == "secret" || word == "secrets") return Resource::kSecret;
  return absl::InvalidArgumentError(absl::StrCat("there is no resource type \"",
                                                 absl::Utf8SafeCEscape(word),
                                                 "\"; there are pods, configmaps and secrets"));
}

const char* ResourceName(Resource resource) {
  switch (resource) {
    case Resource::kPod:
      return "pod";
    case Resource::kConfigMap:
      return "configmap";
    case Resource::kSecret:
      return "secret";
  }
  return "";
}

absl::StatusOr<std::string> PodNameArgument(const std::string& argument) {
  const size_t slash = argument.find('/');
  if (slash != std::string::npos) {
    const absl::StatusOr<Resource> kind = ParseResource(argument.substr(0, slash));
    if (!kind.ok()) return kind.status();
    if (*kind != Resource::kPod) {
      return absl::InvalidArgumentError(absl::StrCat("\"", argument, "\" is not a pod"));
    }
  }
  const std::string name = slash == std::string::npos ? argument : argument.substr(slash + 1);
  if (!IsDnsSubdomain(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::Utf8SafeCEscape(name), "\" is not a pod's name"));
  }
  return name;
}

}  // namespace crisp::agent

#include "agent/environment.h"

#include <optional>
#include <set>

#include "absl/numeric/int128.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

const char* KindName(ObjectKind kind) {
  return kind == ObjectKind::kConfigMap ? "ConfigMap" : "Secret";
}

const std::string* Lookup(const Environment& environment, absl::string_view name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Set(const std::string& name, std::string value, Environment* out) {
  for (auto& [key, old] : *out) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  out->emplace_back(name, std::move(value));
}

std::string FromMap(const std::map<std::string, std::string>& map, absl::string_view key) {
  const auto found = map.find(std::string(key));
  return found == map.end() ? "" : found->second;
}

// The reader of manifests lets only these paths through.
std::string FieldValue(const Pod& pod, const PodFacts& facts, absl::string_view path) {
  if (path == "metadata.name") return pod.name;
  if (path == "metadata.namespace") return pod.ns;
  if (path == "metadata.uid") return facts.uid;
  if (path == "spec.nodeName") return facts.node_name;
  if (path == "spec.serviceAccountName") return "default";
  if (path == "status.hostIP" || path == "status.hostIPs") return facts.host_ip;
  if (path == "status.podIP") return facts.pod_ip;
  if (path == "status.podIPs") return absl::StrJoin(facts.pod_ips, ",");
  absl::ConsumeSuffix(&path, "']");
  if (absl::ConsumePrefix(&path, "metadata.labels['")) return FromMap(pod.labels, path);
  if (absl::ConsumePrefix(&path, "metadata.annotations['")) return FromMap(pod.annotations, path);
  return "";
}

// In units of the divisor, rounded up.
absl::StatusOr<std::string> ResourceValue(const Pod& pod, const Container& own,
                                          const PodFacts& facts, const EnvVar& var) {
  const ResourceSelector& selector = *var.resource;
  const Container* container = selector.container.empty() ? &own : nullptr;
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& one : *list) {
      if (one.name == selector.container) container = &one;
    }
  }
  if (container == nullptr) {
    return absl::NotFoundError(absl::StrCat(var.path, " (", var.name, "): there is no container ",
                                            selector.container, " in the pod"));
  }
  const Resources& r = container->resources;
  // A request that is absent takes the limit; a limit that is absent is the whole node.
  const bool cpu = absl::EndsWith(selector.resource, ".cpu");
  const bool limit = absl::StartsWith(selector.resource, "limits.");
  std::optional<int64_t> amount = cpu ? r.cpu_limit_milli : r.memory_limit_bytes;
  if (limit && !amount.has_value()) {
    amount = cpu ? facts.node_cpu_milli : facts.node_memory_bytes;
  } else if (!limit) {
    const auto& request = cpu ? r.cpu_request_milli : r.memory_request_bytes;
    if (request.has_value()) amount = request;
  }
  const absl::int128 milli = absl::int128(amount.value_or(0)) * (cpu ? 1 : 1000);
  const absl::int128 divisor = selector.divisor_milli;
  return absl::StrCat(static_cast<int64_t>((milli + divisor - 1) / divisor));
}

bool IsCIdentifier(absl::string_view name) {
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0]));
}

// The kernel ends a variable at a NUL, so the rest would be lost without a word.
absl::Status CheckValue(absl::string_view where, const std::string& name,
                        const std::string& value) {
  if (value.find('\0') == std::string::npos) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(where, ": the value of ", name, " holds a NUL byte, which no variable can"));
}

}  // namespace

absl::StatusOr<EnvironmentSources> EnvironmentSources::Fetch(ObjectSource& source, const Pod& pod,
                                                             const std::string& only) {
  std::set<std::pair<ObjectKind, std::string>> wanted;
  for (const auto* list : {&pod.init_containers, &pod.containers}) {
    for (const Container& container : *list) {
      if (!only.empty() && container.name != only) continue;
      for (const EnvFrom& from : container.env_from) wanted.emplace(from.kind, from.name);
      for (const EnvVar& var : container.env) {
        if (var.key.has_value()) wanted.emplace(var.key->kind, var.key->name);
      }
    }
  }
  EnvironmentSources sources;
  for (const auto& [kind, name] : wanted) {
    absl::StatusOr<Data> data = source.Read(kind, pod.ns, name);
    if (absl::IsNotFound(data.status())) continue;
    if (!data.ok()) {
      return Annotate(data.status(), "get ", KindName(kind), " ", pod.ns, "/", name);
    }
    sources.Add(kind, name, *std::move(data));
  }
  return sources;
}

const EnvironmentSources::Data* EnvironmentSources::Find(ObjectKind kind,
                                                         const std::string& name) const {
  const auto found = objects_.find({kind, name});
  return found == objects_.end() ? nullptr : &found->second;
}

absl::StatusOr<std::string> EnvironmentSources::FindKey(const Pod& pod, const EnvVar& var) const {
  const KeySelector& selector = *var.key;
  const Data* data = Find(selector.kind, selector.name);
  const std::string object = absl::StrCat(KindName(selector.kind), " ", pod.ns, "/", selector.name);
  if (data == nullptr) {
    return absl::NotFoundError(absl::StrCat(var.path, " (", var.name, "): ", object,
                                            " does not exist; it should hold the key \"",
                                            selector.key, "\""));
  }
  const auto value = data->find(selector.key);
  if (value == data->end()) {
    return absl::NotFoundError(absl::StrCat(var.path, " (", var.name, "): ", object,
                                            " has no key \"", selector.key, "\""));
  }
  return value->second;
}

absl::StatusOr<Environment> EnvironmentSources::Resolve(const Pod& pod, const Container& container,
                                                        const PodFacts& facts, EnvNames names,
                                                        std::vector<SkippedKeys>* skipped) const {
  Environment out;
  for (const EnvFrom& source : container.env_from) {
    const Data* data = Find(source.kind, source.name);
    if (data == nullptr && source.optional) continue;
    if (data == nullptr) {
      return absl::NotFoundError(absl::StrCat(source.path, ": ", KindName(source.kind), " ", pod.ns,
                                              "/", source.name, " does not exist"));
    }
    SkippedKeys left_out{source.kind, source.name, {}};
    for (const auto& [key, value] : *data) {
      if (names == EnvNames::kLegacy && !IsCIdentifier(source.prefix + key)) {
        left_out.keys.push_back(source.prefix + key);
        continue;
      }
      CRISP_RETURN_IF_ERROR(CheckValue(source.path, key, value));
      Set(source.prefix + key, value, &out);
    }
    if (skipped != nullptr && !left_out.keys.empty()) skipped->push_back(std::move(left_out));
  }
  for (const EnvVar& var : container.env) {
    std::string value;
    if (var.key.has_value()) {
      absl::StatusOr<std::string> found = FindKey(pod, var);
      if (absl::IsNotFound(found.status()) && var.key->optional) continue;
      if (!found.ok()) return found.status();
      CRISP_RETURN_IF_ERROR(CheckValue(var.path, var.name, *found));
      value = *std::move(found);
    } else if (var.resource.has_value()) {
      CRISP_ASSIGN_OR_RETURN(value, ResourceValue(pod, container, facts, var));
    } else if (!var.field_path.empty()) {
      value = FieldValue(pod, facts, var.field_path);
    } else {
      value = ExpandVariables(var.value, out);
    }
    Set(var.name, std::move(value), &out);
  }
  return out;
}

std::string ExpandVariables(absl::string_view text, const Environment& environment) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i++];
    } else if (text[i + 1] == '$') {
      out += '$';
      i += 2;
    } else if (text[i + 1] == '(') {
      const size_t close = text.find(')', i + 2);
      if (close == absl::string_view::npos) {
        // Not a reference: it stays, and what follows is looked at anew.
        out += "$(";
        i += 2;
        continue;
      }
      const absl::string_view name = text.substr(i + 2, close - i - 2);
      const std::string* value = Lookup(environment, name);
      absl::StrAppend(&out,
                      value != nullptr ? absl::string_view(*value) : text.substr(i, close + 1 - i));
      i = close + 1;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace crisp::agent

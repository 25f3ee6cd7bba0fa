#include "volumes/volume_mount.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "volumes/json_fields.h"

namespace crisp::volumes {
namespace {

using nlohmann::json;

constexpr char kRoot[] = "io.crisp.volume-mounts";

absl::StatusOr<std::string> CleanMountPath(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return absl::InvalidArgumentError("must be absolute");
  if (path.size() > 4095) return absl::InvalidArgumentError("is longer than 4095 bytes");
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("contains a NUL byte");
  }
  if (path.find(':') != absl::string_view::npos) {
    return absl::InvalidArgumentError("must not contain ':'");
  }
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return absl::InvalidArgumentError("contains '..'");
  }
  std::string clean = CleanPath(path);
  if (clean == "/") return absl::InvalidArgumentError("must not be the root directory");
  return clean;
}

absl::StatusOr<std::string> ParseMountPath(JsonFields& fields) {
  const absl::StatusOr<std::string> path = fields.RequiredString("mountPath");
  if (!path.ok()) return path.status();
  auto clean = CleanMountPath(*path);
  if (!clean.ok()) return fields.Error("mountPath", clean.status().message());
  return clean;
}

absl::StatusOr<std::string> ParsePropagation(JsonFields& fields) {
  CRISP_ASSIGN_OR_RETURN(const std::string word, fields.String("mountPropagation", "None"));
  if (word == "None" || word.empty()) return std::string("private");
  if (word == "HostToContainer") return std::string("rslave");
  if (word == "Bidirectional") return std::string("rshared");
  return fields.Error("mountPropagation", "is not one of None, HostToContainer, Bidirectional");
}

absl::StatusOr<bool> ParseRecursive(JsonFields& fields, const MountRequest& mount) {
  CRISP_ASSIGN_OR_RETURN(const std::string word, fields.String("recursiveReadOnly", "Disabled"));
  if (word == "Disabled" || word.empty()) return false;
  if (word != "IfPossible" && word != "Enabled") {
    return fields.Error("recursiveReadOnly", "is not one of Disabled, IfPossible, Enabled");
  }
  if (!mount.read_only) return fields.Error("recursiveReadOnly", "needs readOnly: true");
  if (mount.propagation != "private") {
    return fields.Error("recursiveReadOnly", "needs mountPropagation None");
  }
  return true;
}

absl::StatusOr<MountRequest> ParseMount(const json& value, const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(JsonFields fields, JsonFields::Of(value, path));
  MountRequest out;
  out.field = path;
  CRISP_ASSIGN_OR_RETURN(out.name, fields.RequiredString("name"));
  if (!IsDnsLabel(out.name)) return fields.Error("name", "is not a DNS label");
  CRISP_ASSIGN_OR_RETURN(out.mount_path, ParseMountPath(fields));
  CRISP_ASSIGN_OR_RETURN(out.sub_path, fields.String("subPath"));
  CRISP_ASSIGN_OR_RETURN(out.sub_path_expr, fields.String("subPathExpr"));
  if (!out.sub_path.empty() && !out.sub_path_expr.empty()) {
    return fields.Error("subPathExpr", "and subPath exclude each other");
  }
  if (!out.sub_path.empty()) {
    auto clean = CleanSubPath(out.sub_path);
    if (!clean.ok()) return fields.Error("subPath", clean.status().message());
  }
  CRISP_ASSIGN_OR_RETURN(out.read_only, fields.Bool("readOnly", false));
  CRISP_ASSIGN_OR_RETURN(out.propagation, ParsePropagation(fields));
  CRISP_ASSIGN_OR_RETURN(out.recursive_read_only, ParseRecursive(fields, out));
  CRISP_RETURN_IF_ERROR(fields.NoOthers());
  return out;
}

}  // namespace

absl::StatusOr<std::vector<MountRequest>> ParseVolumeMounts(absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<json> values, ParseJsonArray(text, kRoot));
  std::vector<MountRequest> mounts;
  std::set<std::string> paths;
  for (size_t i = 0; i < values.size(); ++i) {
    CRISP_ASSIGN_OR_RETURN(MountRequest mount,
                           ParseMount(values[i], absl::StrCat(kRoot, ": volumeMounts[", i, "]")));
    if (!paths.insert(mount.mount_path).second) {
      return FieldError(mount.field + ".mountPath",
                        absl::StrCat("'", absl::CEscape(mount.mount_path), "' is used twice"));
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

absl::StatusOr<std::string> ExpandSubPathExpr(absl::string_view expr,
                                              const std::map<std::string, std::string>& env) {
  std::string out;
  while (!expr.empty()) {
    const size_t dollar = expr.find('$');
    absl::StrAppend(&out, expr.substr(0, dollar));
    if (dollar == absl::string_view::npos) break;
    expr.remove_prefix(dollar + 1);
    if (!expr.empty() && expr.front() == '$') {
      out.push_back('$');
      expr.remove_prefix(1);
      continue;
    }
    const size_t close = expr.find(')');
    if (expr.empty() || expr.front() != '(' || close == absl::string_view::npos) {
      out.push_back('$');  // Not a reference: stays as it is.
      continue;
    }
    const std::string name(expr.substr(1, close - 1));
    const auto value = env.find(name);
    if (value == env.end() || value->second.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("missing value for '", absl::CEscape(name.substr(0, 256)), "'"));
    }
    absl::StrAppend(&out, value->second);
    expr.remove_prefix(close + 1);
  }
  return out;
}

absl::StatusOr<std::string> CleanSubPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("is empty");
  if (path.front() == '/') return absl::InvalidArgumentError("must not be absolute");
  if (path.size() > 4096) return absl::InvalidArgumentError("is longer than 4096 bytes");
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("contains a NUL byte");
  }
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return absl::InvalidArgumentError("contains '..'");
    if (part.size() > 255) {
      return absl::InvalidArgumentError("has an element longer than 255 bytes");
    }
  }
  return CleanPath(path);
}

}  // namespace crisp::volumes

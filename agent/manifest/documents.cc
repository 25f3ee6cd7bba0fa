#include "agent/manifest/documents.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/object_documents.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod_reader.h"
#include "agent/manifest/yaml.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::agent {
namespace {

using nlohmann::json;

constexpr size_t kMaxFile = 4 << 20;
constexpr int kMaxListDepth = 4;

std::string TextField(const json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string NameOf(const json& document) {
  const auto meta = document.find("metadata");
  return meta != document.end() && meta->is_object() ? TextField(*meta, "name") : "";
}

absl::Status AppendRaw(const std::string& source, const std::string& place, json document,
                       int depth, std::vector<RawDocument>* out) {
  if (!document.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": must be a map, not ", KindOf(document)));
  }
  const std::string version = TextField(document, "apiVersion");
  const std::string kind = TextField(document, "kind");
  if (kind.empty()) return absl::InvalidArgumentError(absl::StrCat(place, ": kind: is required"));
  if (version.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": apiVersion: is required"));
  }
  if (version != "v1" || kind != "List" || depth >= kMaxListDepth) {
    out->push_back({source, place, std::move(document)});
    return absl::OkStatus();
  }
  const auto items = document.find("items");
  if (items == document.end() || !items->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": items: must be a list"));
  }
  for (size_t i = 0; i < items->size(); ++i) {
    CRISP_RETURN_IF_ERROR(AppendRaw(source, absl::StrCat(place, ": items[", i, "]"),
                                    std::move((*items)[i]), depth + 1, out));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status Append(absl::StatusOr<T> object, const std::string& source,
                    std::vector<Document>* out) {
  if (!object.ok()) return object.status();
  out->push_back({source, *std::move(object)});
  return absl::OkStatus();
}

absl::Status ReadDocument(const RawDocument& raw, std::vector<Document>* out) {
  const std::string version = TextField(raw.object, "apiVersion");
  const std::string kind = TextField(raw.object, "kind");
  const std::string name = NameOf(raw.object);
  const std::string where =
      absl::Utf8SafeCEscape(name.empty() ? absl::StrCat(raw.place, ": ", kind)
                                         : absl::StrCat(raw.source, ": ", kind, "/", name));
  if (version == "v1" && kind == "Pod") {
    return Annotate(Append(ReadPod(raw.object), raw.source, out), where);
  }
  if (version == "v1" && kind == "ConfigMap") {
    return Annotate(Append(ReadConfigMap(raw.object), raw.source, out), where);
  }
  if (version == "v1" && kind == "Secret") {
    return Annotate(Append(ReadSecret(raw.object), raw.source, out), where);
  }
  return absl::UnimplementedError(absl::StrCat(
      where, ": kind ", absl::Utf8SafeCEscape(kind), " of ", absl::Utf8SafeCEscape(version),
      ": only Pod, ConfigMap and Secret of v1 can stand here"));
}

absl::StatusOr<std::vector<Document>> ReadAllOf(const std::vector<RawDocument>& raw) {
  std::vector<Document> documents;
  for (const RawDocument& one : raw) CRISP_RETURN_IF_ERROR(ReadDocument(one, &documents));
  return documents;
}

absl::StatusOr<std::string> ReadManifestFile(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
                         }));
  return Annotate(ReadAll(fd.get(), kMaxFile), path);
}

absl::StatusOr<std::vector<std::string>> ManifestsIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string extension = it->path().extension();
    std::error_code ignored;
    if ((extension == ".yaml" || extension == ".yml" || extension == ".json") &&
        it->is_regular_file(ignored)) {
      files.push_back(it->path());
    }
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("read directory ", directory));
  if (files.empty()) {
    return absl::NotFoundError(
        absl::StrCat(directory, ": no .yaml, .yml or .json file in this directory"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status LoadText(const std::string& source, absl::string_view text,
                      std::vector<RawDocument>* out) {
  CRISP_ASSIGN_OR_RETURN(std::vector<RawDocument> documents, ParseRawDocuments(source, text));
  std::move(documents.begin(), documents.end(), std::back_inserter(*out));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RawDocument>> ParseRawDocuments(const std::string& source,
                                                           absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(std::vector<json> parsed, Annotate(ParseYaml(text), source));
  std::vector<RawDocument> documents;
  for (size_t i = 0; i < parsed.size(); ++i) {
    if (parsed[i].is_null()) continue;
    const std::string place =
        parsed.size() == 1 ? source : absl::StrCat(source, ": document ", i + 1);
    CRISP_RETURN_IF_ERROR(AppendRaw(source, place, std::move(parsed[i]), 0, &documents));
  }
  return documents;
}

absl::StatusOr<std::vector<RawDocument>> LoadRawDocuments(const std::vector<std::string>& paths,
                                                          std::istream& in) {
  std::vector<RawDocument> documents;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path == "-") {
      std::string text(kMaxFile + 1, '\0');
      in.read(text.data(), static_cast<std::streamsize>(text.size()));
      text.resize(static_cast<size_t>(in.gcount()));
      CRISP_RETURN_IF_ERROR(LoadText("stdin", text, &documents));
    } else if (std::filesystem::is_directory(path, ignored)) {
      CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> files, ManifestsIn(path));
      for (const std::string& file : files) {
        CRISP_ASSIGN_OR_RETURN(const std::string text, ReadManifestFile(file));
        CRISP_RETURN_IF_ERROR(LoadText(file, text, &documents));
      }
    } else {
      CRISP_ASSIGN_OR_RETURN(const std::string text, ReadManifestFile(path));
      CRISP_RETURN_IF_ERROR(LoadText(path, text, &documents));
    }
  }
  if (documents.empty()) return absl::InvalidArgumentError("no objects in what was given");
  return documents;
}

absl::StatusOr<std::vector<Document>> ParseDocuments(const std::string& source,
                                                     absl::string_view text) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<RawDocument> raw, ParseRawDocuments(source, text));
  return ReadAllOf(raw);
}

absl::StatusOr<std::vector<Document>> LoadDocuments(const std::vector<std::string>& paths,
                                                    std::istream& in) {
  CRISP_ASSIGN_OR_RETURN(const std::vector<RawDocument> raw, LoadRawDocuments(paths, in));
  return ReadAllOf(raw);
}

}  // namespace crisp::agent

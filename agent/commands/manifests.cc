#include "agent/commands/manifests.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/manifest/yaml.h"
#include "agent/output/fields.h"
#include "agent/output/kinds.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFile = 4 << 20;
constexpr int kMaxListDepth = 4;

absl::Status Unfold(const std::string& source, const std::string& place, Json document, int depth,
                    std::vector<Manifest>* out) {
  if (!document.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("error parsing ", place, ": an object must be a map"));
  }
  const std::string kind = Text(document, "kind");
  for (const char* field : {"apiVersion", "kind"}) {
    if (Text(document, field).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("error validating \"", place, "\": ", field, " not set"));
    }
  }
  if (absl::EndsWith(kind, "List") && document.contains("items")) {
    if (!document["items"].is_array() || depth >= kMaxListDepth) {
      return absl::InvalidArgumentError(absl::StrCat(place, ": items: must be a list of objects"));
    }
    for (size_t i = 0; i < document["items"].size(); ++i) {
      CRISP_RETURN_IF_ERROR(Unfold(source, absl::StrCat(place, ": items[", i, "]"),
                                   std::move(document["items"][i]), depth + 1, out));
    }
    return absl::OkStatus();
  }
  out->push_back({source, std::move(document)});
  return absl::OkStatus();
}

absl::Status LoadText(const std::string& source, absl::string_view text,
                      std::vector<Manifest>* out) {
  CRISP_ASSIGN_OR_RETURN(std::vector<Json> documents,
                         Annotate(agent::ParseYaml(text), "error parsing ", source));
  for (size_t i = 0; i < documents.size(); ++i) {
    if (documents[i].is_null()) continue;
    const std::string place =
        documents.size() == 1 ? source : absl::StrCat(source, ": document ", i + 1);
    CRISP_RETURN_IF_ERROR(Unfold(source, place, std::move(documents[i]), 0, out));
  }
  return absl::OkStatus();
}

absl::Status LoadFile(const std::string& path, std::vector<Manifest>* out) {
  auto fd = SysFd(absl::StrCat("open ", path),
                  [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (ErrnoOf(fd.status()) == ENOENT) {
    return absl::NotFoundError(absl::StrCat("the path \"", path, "\" does not exist"));
  }
  if (!fd.ok()) return fd.status();
  CRISP_ASSIGN_OR_RETURN(const std::string text, Annotate(ReadAll(fd->get(), kMaxFile), path));
  return LoadText(path, text, out);
}

bool IsManifest(const fs::directory_entry& entry) {
  std::error_code ignored;
  const std::string extension = entry.path().extension();
  return (extension == ".yaml" || extension == ".yml" || extension == ".json") &&
         entry.is_regular_file(ignored);
}

template <typename Iterator>
absl::StatusOr<std::vector<std::string>> ManifestsIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (Iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (IsManifest(*it)) files.push_back(it->path());
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("read directory ", directory));
  if (files.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "error reading [", directory, "]: recognized file extensions are [.json .yaml .yml]"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<std::vector<Manifest>> LoadManifests(const std::vector<std::string>& paths,
                                                    bool recursive, std::istream& in) {
  std::vector<Manifest> manifests;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path == "-") {
      std::string text(kMaxFile + 1, '\0');
      in.read(text.data(), static_cast<std::streamsize>(text.size()));
      text.resize(static_cast<size_t>(in.gcount()));
      CRISP_RETURN_IF_ERROR(LoadText("STDIN", text, &manifests));
    } else if (fs::is_directory(path, ignored)) {
      CRISP_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                             recursive ? ManifestsIn<fs::recursive_directory_iterator>(path)
                                       : ManifestsIn<fs::directory_iterator>(path));
      for (const std::string& file : files) CRISP_RETURN_IF_ERROR(LoadFile(file, &manifests));
    } else {
      CRISP_RETURN_IF_ERROR(LoadFile(path, &manifests));
    }
  }
  if (manifests.empty()) return absl::InvalidArgumentError("no objects passed");
  return manifests;
}

absl::Status FillNamespace(const std::string& ns, Json* object) {
  const std::string kind = Text(*object, "kind");
  const KindInfo* info = KindOfObject(kind);
  if (info == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no matches for kind \"", absl::Utf8SafeCEscape(kind), "\" in version \"",
                     absl::Utf8SafeCEscape(Text(*object, "apiVersion")),
                     "\"; \"crisp api-resources\" lists the kinds"));
  }
  if (Text(*object, "apiVersion") != info->version) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no matches for kind \"", kind, "\" in version \"",
        absl::Utf8SafeCEscape(Text(*object, "apiVersion")), "\"; it is ", info->version));
  }
  if (!info->namespaced) return absl::OkStatus();
  if (!Field(*object, "metadata").is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(kind, ": metadata: is required"));
  }
  const std::string own = Namespace(*object);
  if (own.empty()) {
    (*object)["metadata"]["namespace"] = ns.empty() ? "default" : ns;
  } else if (!ns.empty() && ns != own) {
    return absl::InvalidArgumentError(
        absl::StrCat("the namespace from the provided object \"", absl::Utf8SafeCEscape(own),
                     "\" does not match the namespace \"", absl::Utf8SafeCEscape(ns),
                     "\". You must pass '--namespace=", absl::Utf8SafeCEscape(own),
                     "' to perform this operation."));
  }
  return absl::OkStatus();
}

}  // namespace crisp::cli

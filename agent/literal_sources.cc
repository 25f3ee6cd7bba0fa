#include "agent/literal_sources.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/manifest/names.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "base/utf8.h"

namespace crisp::agent {
namespace {

using Data = std::map<std::string, std::string>;

// More than an object may hold in all; the node refuses with the exact rule.
constexpr size_t kMaxFile = 4 << 20;

absl::Status Add(const std::string& key, std::string value, Data* out) {
  if (const std::string wrong = DataKeyError(key); !wrong.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::Utf8SafeCEscape(key), "\" is not a valid key name: ", wrong));
  }
  if (!out->emplace(key, std::move(value)).second) {
    return absl::InvalidArgumentError(absl::StrCat("the key \"", key, "\" is given twice"));
  }
  return absl::OkStatus();
}

// Follows links and reads FIFOs, so that key=<(command) works.
absl::StatusOr<std::string> ReadSource(const std::string& path) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
                         }));
  return Annotate(ReadAll(fd.get(), kMaxFile), path);
}

absl::Status AddDirectory(const std::string& directory, Data* out) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->symlink_status(ignored).type() == std::filesystem::file_type::regular) {
      files.push_back(it->path());
    }
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("read directory ", directory));
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    CRISP_ASSIGN_OR_RETURN(std::string bytes, ReadSource(file));
    CRISP_RETURN_IF_ERROR(Annotate(Add(file.filename(), std::move(bytes), out), directory));
  }
  return absl::OkStatus();
}

absl::Status AddFile(const std::string& source, Data* out) {
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("--from-file ", source, ": ", why));
  };
  const std::vector<std::string> parts = absl::StrSplit(source, '=');
  if (parts.size() > 2) return bad("more than one '='; key and path must not hold one");
  if (parts.size() == 2 && parts[0].empty()) return bad("the key before '=' is missing");
  if (parts.back().empty()) return bad("the path is missing");
  const std::string& path = parts.back();
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    if (parts.size() == 2) return bad("a directory's files name their keys themselves");
    return AddDirectory(path, out);
  }
  CRISP_ASSIGN_OR_RETURN(std::string bytes, ReadSource(path));
  const std::string key =
      parts.size() == 2 ? parts[0] : std::string(std::filesystem::path(path).filename());
  return Annotate(Add(key, std::move(bytes), out), "--from-file ", source);
}

absl::Status AddLiteral(const std::string& source, Data* out) {
  const size_t at = source.find('=');
  if (at == 0 || at == std::string::npos) {
    // The text may be a secret: it is not repeated.
    return absl::InvalidArgumentError("--from-literal takes key=value");
  }
  return Annotate(Add(source.substr(0, at), source.substr(at + 1), out), "--from-literal");
}

bool IsVariableName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(name[0]) || name == "." ||
      absl::string_view(name).substr(0, 2) == "..") {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseEnvFile(
    absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    line = absl::StripLeadingAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    if (!IsUtf8(line)) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": not UTF-8 text"));
    }
    const size_t at = line.find('=');
    const std::string name(line.substr(0, at));
    if (!IsVariableName(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": \"", absl::Utf8SafeCEscape(name.substr(0, 64)),
                       "\" is not a variable's name: letters, digits, '-', '_' and '.', not "
                       "beginning with a digit"));
    }
    if (at != absl::string_view::npos) {
      out.emplace_back(name, std::string(line.substr(at + 1)));
    } else {
      const char* value = std::getenv(name.c_str());
      out.emplace_back(name, value == nullptr ? "" : value);
    }
  }
  return out;
}

absl::StatusOr<Data> ReadDataSources(const DataSources& sources) {
  if (!sources.env_files.empty() && (!sources.files.empty() || !sources.literals.empty())) {
    return absl::InvalidArgumentError(
        "--from-env-file cannot be combined with --from-file or --from-literal");
  }
  Data data;
  for (const std::string& file : sources.files) CRISP_RETURN_IF_ERROR(AddFile(file, &data));
  for (const std::string& literal : sources.literals) {
    CRISP_RETURN_IF_ERROR(AddLiteral(literal, &data));
  }
  for (const std::string& path : sources.env_files) {
    CRISP_ASSIGN_OR_RETURN(const std::string text, ReadSource(path));
    CRISP_ASSIGN_OR_RETURN(const auto variables,
                           Annotate(ParseEnvFile(text), "--from-env-file ", path));
    for (const auto& [name, value] : variables) {
      CRISP_RETURN_IF_ERROR(Annotate(Add(name, value, &data), "--from-env-file ", path));
    }
  }
  return data;
}

}  // namespace crisp::agent

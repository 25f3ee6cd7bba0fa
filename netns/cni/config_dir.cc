#include "netns/cni/config_dir.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::netns {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

bool IsCandidate(absl::string_view name) {
  return absl::EndsWith(name, ".conflist") || absl::EndsWith(name, ".conf") ||
         absl::EndsWith(name, ".json");
}

// Names of the candidates in byte order. A directory that does not exist is empty.
absl::StatusOr<std::vector<std::string>> ListCandidates(const std::string& dir) {
  DIR* stream = ::opendir(dir.c_str());
  if (stream == nullptr) {
    const int err = errno;
    if (err == ENOENT) return std::vector<std::string>();
    return ErrnoStatus(err, absl::StrCat("read ", dir));
  }
  auto close = absl::MakeCleanup([stream] { ::closedir(stream); });
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    if (IsCandidate(entry->d_name)) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Changes whenever the file does: a rename changes the inode, a write the times.
std::string FingerprintOf(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return absl::StrCat("error ", errno, ";");
  return absl::StrCat(st.st_dev, ":", st.st_ino, ":", st.st_size, ":", st.st_mtim.tv_sec, ".",
                      st.st_mtim.tv_nsec, ":", st.st_ctim.tv_sec, ".", st.st_ctim.tv_nsec, ";");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const NetworkConfig>> ConfigDir::Current() {
  absl::MutexLock lock(&mu_);
  Refresh();
  if (view_.network != nullptr) return view_.network;
  if (!view_.error.ok()) return view_.error;
  return absl::NotFoundError(absl::StrCat("no network configuration in ", dir_));
}

ConfigDir::View ConfigDir::Look() {
  absl::MutexLock lock(&mu_);
  Refresh();
  return view_;
}

void ConfigDir::Refresh() {
  const auto files = ListCandidates(dir_);
  if (!files.ok()) {
    // The directory cannot be read: what is in force stays.
    view_.error = files.status();
    fingerprint_.clear();
    return;
  }
  std::string fingerprint = "files:";
  for (const std::string& name : *files) {
    absl::StrAppend(&fingerprint, name, "=", FingerprintOf(JoinPath(dir_, name)));
  }
  if (fingerprint == fingerprint_) return;
  fingerprint_ = std::move(fingerprint);
  Load(*files);
}

void ConfigDir::Load(const std::vector<std::string>& files) {
  view_.files = files;
  view_.error = absl::OkStatus();
  for (const std::string& name : files) {
    const std::string path = JoinPath(dir_, name);
    // Not ReadFileAt: administrators and installers do use symlinks here.
    const auto text = ReadFile(path, kMaxConfigBytes);
    auto network =
        text.ok() ? ParseNetworkFile(name, *text) : absl::StatusOr<NetworkConfig>(text.status());
    if (!network.ok()) {
      view_.error = Annotate(absl::FailedPreconditionError(network.status().message()), path);
      return;
    }
    if (network->IsLoopbackOnly()) continue;
    view_.network = std::make_shared<const NetworkConfig>(*std::move(network));
    view_.file = path;
    return;
  }
  view_.network = nullptr;
  view_.file.clear();
}

}  // namespace crisp::netns

#include "cri/stats/layer_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::cri {
namespace {

constexpr int kMaxDepth = 128;
constexpr uint64_t kBlockBytes = 512;  // Of st_blocks, whatever the filesystem.

class Tree {
 public:
  explicit Tree(dev_t device) : device_(device) {}

  // Takes the directory's descriptor. What vanishes meanwhile counts for nothing.
  void Add(UniqueFd directory, int depth) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(directory.get()), &::closedir);
    if (dir == nullptr) return;
    (void)directory.release();
    while (const dirent* entry = ::readdir(dir.get())) {
      const absl::string_view name = entry->d_name;
      struct stat st;
      if (name == "." || name == ".." ||
          ::fstatat(::dirfd(dir.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;
      }
      if (st.st_dev != device_ || !Count(st) || !S_ISDIR(st.st_mode) || depth == kMaxDepth) {
        continue;
      }
      UniqueFd below(::openat(::dirfd(dir.get()), entry->d_name,
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (below.ok()) Add(std::move(below), depth + 1);
    }
  }

  // False for another name of what is counted.
  bool Count(const struct stat& st) {
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 && !linked_.insert(st.st_ino).second) return false;
    usage_.bytes += static_cast<uint64_t>(st.st_blocks) * kBlockBytes;
    ++usage_.inodes;
    return true;
  }

  const LayerUsage& usage() const { return usage_; }

 private:
  const dev_t device_;
  std::set<ino_t> linked_;
  LayerUsage usage_;
};

}  // namespace

absl::StatusOr<LayerUsage> MeasureTree(const std::string& directory) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd root, SysFd(absl::StrCat("open ", directory), [&] {
                           return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                         }));
  struct stat st;
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("stat ", directory), [&] { return ::fstat(root.get(), &st); }));
  Tree tree(st.st_dev);
  (void)tree.Count(st);
  tree.Add(std::move(root), 0);
  return tree.usage();
}

absl::StatusOr<LayerUsage> LayerUsages::Of(const std::string& id, const std::string& snapshot_key) {
  {
    absl::MutexLock lock(&mu_);
    const auto found = kept_.find(id);
    if (found != kept_.end()) {
      Kept& kept = found->second;
      const bool old = clock_->NowNs() - kept.usage.at_ns > absl::ToInt64Nanoseconds(kMaxAge);
      if (!old || std::exchange(kept.refreshing, true)) return kept.usage;
      const LayerUsage usage = kept.usage;
      background_->Post([this, id, snapshot_key] { (void)MeasureNow(id, snapshot_key); });
      return usage;
    }
  }
  return MeasureNow(id, snapshot_key);
}

absl::StatusOr<LayerUsage> LayerUsages::MeasureNow(const std::string& id,
                                                   const std::string& snapshot_key) {
  absl::StatusOr<LayerUsage> usage = measure_(id, snapshot_key);
  if (usage.ok()) usage->at_ns = clock_->NowNs();
  absl::MutexLock lock(&mu_);
  if (usage.ok()) {
    kept_[id] = {*usage, false};
  } else if (const auto found = kept_.find(id); found != kept_.end()) {
    found->second.refreshing = false;
  }
  return usage;
}

void LayerUsages::Keep(const std::set<std::string>& ids) {
  absl::MutexLock lock(&mu_);
  for (auto it = kept_.begin(); it != kept_.end();) {
    it = ids.count(it->first) == 0 ? kept_.erase(it) : std::next(it);
  }
}

}  // namespace crisp::cri

// Which images there are and what they are called, in memory.
//
// Threads: safe; nothing slow happens under the lock.
// Errors:  NotFound; InvalidArgument for what is neither a name nor an id, and for
//          the beginning of several ids.
#ifndef CRISP_CRI_IMAGES_IMAGE_CATALOG_H_
#define CRISP_CRI_IMAGES_IMAGE_CATALOG_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cri/images/image.h"
#include "cri/images/image_content.h"

namespace crisp::cri {

class ImageCatalog {
 public:
  // Adds or replaces the image with the id of `content`, and gives it `name`,
  // which another image may have to give up.
  void Put(const ImageContent& content, const std::string& name, bool pinned)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets the image and its names.
  void Remove(const std::string& id) ABSL_LOCKS_EXCLUDED(mu_);
  // Replaces everything by what `other` holds.
  void Swap(ImageCatalog& other) ABSL_LOCKS_EXCLUDED(mu_, other.mu_);

  absl::StatusOr<Image> Resolve(const std::string& ref) const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<Image> List() const ABSL_LOCKS_EXCLUDED(mu_);
  // The names of an image's rows; empty if it is unknown.
  std::vector<std::string> Names(const std::string& id) const ABSL_LOCKS_EXCLUDED(mu_);
  // What the image's documents said.
  absl::StatusOr<ImageContent> Content(const std::string& id) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    ImageContent content;
    std::map<std::string, bool> names;  // And whether the name is pinned.
    Image image;                        // Built from the above when they change.
  };

  static void Rebuild(Entry& entry);
  absl::StatusOr<std::string> Find(const std::string& ref) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::map<std::string, Entry> images_ ABSL_GUARDED_BY(mu_);       // By id.
  std::map<std::string, std::string> names_ ABSL_GUARDED_BY(mu_);  // Name to id.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_CATALOG_H_

// containerd's image rows: a name, the descriptor it means, labels. An image of
// ours has one row a tag, one a digest and one named by its id.
//
// Threads: safe; no state of its own.
// Errors:  containerd's.
#ifndef CRISP_CRI_IMAGES_IMAGE_RECORDS_H_
#define CRISP_CRI_IMAGES_IMAGE_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cri/containerd/containerd.h"
#include "cri/images/manifest.h"

namespace crisp::cri {

struct ImageRecord {
  std::string name;
  Descriptor target;
  bool pinned = false;
};

class ImageRecords {
 public:
  explicit ImageRecords(Containerd* containerd) : containerd_(containerd) {}

  // Creates the row, or points an existing one here.
  absl::Status Put(const ImageRecord& record);
  // OK if it was gone. `collect`: returns when garbage collection has run.
  absl::Status Delete(const std::string& name, bool collect);
  absl::StatusOr<std::vector<ImageRecord>> List();

 private:
  Containerd* const containerd_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_RECORDS_H_

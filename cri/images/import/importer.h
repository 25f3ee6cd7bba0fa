// Images out of an archive: an OCI image layout or `docker save`, plain tar.
//
// Every file of the archive goes straight into containerd's content store under
// its own digest; nothing is written anywhere else. The archive's documents are
// then read back, checked like a registry's, and the images unpacked.
//
// Ownership: borrows the Containerd.
// Threads:   safe; one call per archive.
// Errors:    InvalidArgument says what is wrong with the archive; nothing is kept.
// Crash:     what was stored is freed when the lease expires.
#ifndef CRISP_CRI_IMAGES_IMPORT_IMPORTER_H_
#define CRISP_CRI_IMAGES_IMPORT_IMPORTER_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/lease.h"
#include "cri/images/image_content.h"
#include "cri/images/import/archive_reader.h"
#include "cri/images/reference.h"
#include "cri/images/unpacker.h"

namespace crisp::cri {

struct ImportedContent {
  ImageContent content;
  std::vector<Reference> names;  // May be empty: then the image has only its id.
};

class Importer {
 public:
  explicit Importer(Containerd* containerd) : containerd_(containerd), unpacker_(containerd) {}

  // `publish` runs while the lease holds everything: it gives the images names.
  absl::StatusOr<std::vector<ImportedContent>> Import(
      ArchiveReader& archive, const std::string& name,
      const std::function<absl::Status(const std::vector<ImportedContent>&)>& publish);

 private:
  absl::StatusOr<std::vector<ImportedContent>> Run(ArchiveReader& archive, const std::string& name,
                                                   Lease& lease);

  Containerd* const containerd_;
  Unpacker unpacker_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_IMPORTER_H_

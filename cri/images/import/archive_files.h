// The files of an archive, stored as blobs on their way in.
//
// Threads: one thread.
// Errors:  InvalidArgument for a bad archive; the store's own.
#ifndef CRISP_CRI_IMAGES_IMPORT_ARCHIVE_FILES_H_
#define CRISP_CRI_IMAGES_IMPORT_ARCHIVE_FILES_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "cri/containerd/containerd.h"
#include "cri/images/import/archive_reader.h"

namespace crisp::cri {

struct StoredFile {
  std::string digest;
  int64_t size = 0;
  std::string head;  // Its first bytes, enough to know a compression.
};

class ArchiveFiles {
 public:
  // Reads the whole archive; blobs are held by `lease`.
  static absl::StatusOr<ArchiveFiles> Store(Containerd* containerd, ArchiveReader& archive,
                                            const std::string& lease);

  // The document `name` of the archive's top ("index.json"); "" if absent.
  const std::string& Document(const std::string& name) const;

  // A file by its path in the archive, through links within the archive.
  absl::StatusOr<StoredFile> File(const std::string& path) const;

 private:
  std::map<std::string, std::string> documents_;
  std::map<std::string, StoredFile> files_;
  std::map<std::string, std::string> links_;  // Path to path.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_ARCHIVE_FILES_H_

// Where the bytes of an image archive come from: an RPC stream, a file, a test.
#ifndef CRISP_CRI_IMAGES_IMPORT_ARCHIVE_READER_H_
#define CRISP_CRI_IMAGES_IMPORT_ARCHIVE_READER_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace crisp::cri {

class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  // The next bytes; empty at the end. An error ends the import with it.
  virtual absl::StatusOr<std::string> Next() = 0;
};

// An archive in memory.
class StringArchive : public ArchiveReader {
 public:
  explicit StringArchive(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<std::string> Next() override { return std::exchange(bytes_, std::string()); }

 private:
  std::string bytes_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_ARCHIVE_READER_H_

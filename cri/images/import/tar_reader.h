// A tar archive as a stream of entries: ustar, GNU long names, pax headers.
//
// The archive is hostile: sizes, names and header sums are checked, pax and long
// name records are bounded, and nothing here touches the filesystem.
//
// Ownership: borrows the ArchiveReader.
// Threads:   one thread.
// Errors:    InvalidArgument says what is wrong and at which byte; the reader's own.
#ifndef CRISP_CRI_IMAGES_IMPORT_TAR_READER_H_
#define CRISP_CRI_IMAGES_IMPORT_TAR_READER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "cri/images/import/archive_reader.h"

namespace crisp::cri {

struct TarEntry {
  enum class Kind { kFile, kDirectory, kSymlink, kHardlink, kOther };
  Kind kind = Kind::kFile;
  std::string name;    // As in the archive.
  std::string target;  // Of a link.
  int64_t size = 0;    // Bytes of content; only files have any.
};

class TarReader {
 public:
  explicit TarReader(ArchiveReader* source) : source_(source) {}

  // The next entry; none at the end of the archive. What is left of the entry
  // before is skipped.
  absl::StatusOr<absl::optional<TarEntry>> Next();

  // Hands the current entry's content to `sink`, in pieces, until the end or the
  // sink's first error.
  absl::Status ReadContent(const std::function<absl::Status(absl::string_view)>& sink);

  // The current entry's content as a whole; InvalidArgument if over `max_bytes`.
  absl::StatusOr<std::string> ReadText(size_t max_bytes);

 private:
  using PaxRecords = std::map<std::string, std::string>;

  // Takes `size` bytes; fewer only at the end of the archive.
  absl::StatusOr<std::string> Take(size_t size);
  absl::Status Refill();
  absl::Status Skip(int64_t size);
  absl::Status FinishEntry();
  absl::StatusOr<std::string> ReadExtension(int64_t size);
  absl::Status Bad(absl::string_view what) const;

  ArchiveReader* const source_;
  std::string buffer_;
  size_t used_ = 0;        // Bytes of buffer_ that were consumed.
  int64_t position_ = 0;   // In the archive, for messages.
  int64_t remaining_ = 0;  // Of the current entry's content.
  int64_t padding_ = 0;    // After it, up to the next block.
  int entries_ = 0;
  bool source_ended_ = false;
  bool ended_ = false;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMPORT_TAR_READER_H_

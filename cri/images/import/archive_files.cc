#include "cri/images/import/archive_files.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "cri/containerd/content_store.h"
#include "cri/containerd/digest.h"
#include "cri/images/import/tar_reader.h"
#include "cri/images/json_fields.h"
#include "cri/images/sha256.h"

namespace crisp::cri {
namespace {

constexpr size_t kHeadBytes = 16;
constexpr size_t kPieceBytes = 1 << 20;
constexpr int kMaxLinks = 8;
constexpr absl::Duration kWholeFile = absl::Hours(24);

// Names that matter in an archive have no dots to climb on; "./" is tar's habit.
std::string PathIn(absl::string_view name) {
  while (absl::ConsumePrefix(&name, "./")) {
  }
  return IsCleanRelative(name) ? std::string(name) : "";
}

bool IsDocument(const std::string& path) {
  return path == "index.json" || path == "manifest.json" || path == "oci-layout";
}

absl::StatusOr<StoredFile> StoreFile(Containerd* containerd, TarReader& tar, const TarEntry& entry,
                                     const std::string& lease, const std::string& ref,
                                     const std::string& expected) {
  BlobWriter::Options options;
  options.timeout = kWholeFile;
  CRISP_ASSIGN_OR_RETURN(
      std::unique_ptr<BlobWriter> writer,
      BlobWriter::Open(containerd, {ref, expected, entry.size, lease}, std::move(options)));
  const bool known = writer->complete();
  if (!known) writer->Restart();
  StoredFile out;
  out.size = entry.size;
  Sha256 sum;
  std::string piece;
  const auto flush = [&]() -> absl::Status {
    const absl::Status written = known ? absl::OkStatus() : writer->Write(piece);
    piece.clear();
    return written;
  };
  absl::Status status = tar.ReadContent([&](absl::string_view bytes) -> absl::Status {
    sum.Update(bytes);
    if (out.head.size() < kHeadBytes) {
      const absl::string_view more = bytes.substr(0, kHeadBytes - out.head.size());
      out.head.append(more.data(), more.size());
    }
    piece.append(bytes.data(), bytes.size());
    return piece.size() < kPieceBytes ? absl::OkStatus() : flush();
  });
  if (status.ok()) status = flush();
  out.digest = sum.Finish();
  if (status.ok() && !expected.empty() && out.digest != expected) {
    status = absl::InvalidArgumentError(
        absl::StrCat("archive entry ", entry.name, " is damaged: its bytes are ", out.digest));
  }
  if (status.ok()) status = writer->Commit();
  if (!status.ok()) {
    (void)writer->Abort();
    return status;
  }
  return out;
}

}  // namespace

absl::StatusOr<ArchiveFiles> ArchiveFiles::Store(Containerd* containerd, ArchiveReader& archive,
                                                 const std::string& lease) {
  ArchiveFiles out;
  TarReader tar(&archive);
  const std::string import_id = RandomHex(16);
  for (int number = 0;; ++number) {
    CRISP_ASSIGN_OR_RETURN(const absl::optional<TarEntry> entry, tar.Next());
    if (!entry.has_value()) return out;
    const std::string path = PathIn(entry->name);
    if (path.empty()) continue;
    if (entry->kind == TarEntry::Kind::kSymlink) {
      // Relative to the link's own directory; docker save links repeated layers.
      const std::string dir =
          path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
      out.links_[path] = PathIn(CleanPath(JoinPath(dir.empty() ? "." : dir, entry->target)));
    } else if (entry->kind == TarEntry::Kind::kHardlink) {
      out.links_[path] = PathIn(entry->target);
    } else if (entry->kind == TarEntry::Kind::kFile && IsDocument(path)) {
      CRISP_ASSIGN_OR_RETURN(out.documents_[path], tar.ReadText(kMaxJsonBytes));
    } else if (entry->kind == TarEntry::Kind::kFile && entry->size > 0) {
      std::string expected;
      if (absl::StartsWith(path, "blobs/sha256/")) {
        expected = absl::StrCat("sha256:", absl::StripPrefix(path, "blobs/sha256/"));
        CRISP_RETURN_IF_ERROR(Annotate(ValidateDigest(expected), "archive entry ", path));
      }
      CRISP_ASSIGN_OR_RETURN(out.files_[path],
                             StoreFile(containerd, tar, *entry, lease,
                                       absl::StrCat("import-", import_id, "-", number), expected));
    }
  }
}

const std::string& ArchiveFiles::Document(const std::string& name) const {
  static const std::string* const kNone = new std::string;
  const auto found = documents_.find(name);
  return found == documents_.end() ? *kNone : found->second;
}

absl::StatusOr<StoredFile> ArchiveFiles::File(const std::string& path) const {
  std::string at = PathIn(path);
  for (int hop = 0; hop < kMaxLinks; ++hop) {
    if (const auto found = files_.find(at); found != files_.end()) return found->second;
    const auto link = links_.find(at);
    if (link == links_.end()) break;
    at = link->second;
  }
  return absl::InvalidArgumentError(absl::StrCat("the archive has no file ", path));
}

}  // namespace crisp::cri

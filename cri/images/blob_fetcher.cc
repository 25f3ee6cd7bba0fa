#include "cri/images/blob_fetcher.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "cri/images/image_content.h"
#include "cri/images/json_fields.h"
#include "cri/images/media_types.h"

namespace crisp::cri {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr int kMaxFruitless = 5;  // Attempts in a row that bring no byte.
constexpr int kMaxAttempts = 50;
constexpr absl::Duration kFirstWait = absl::Milliseconds(200);
constexpr absl::Duration kWholeBlob = absl::Hours(24);

const char* KindOf(const Descriptor& descriptor) {
  if (IsIndexType(descriptor.media_type)) return "index-";
  if (IsManifestType(descriptor.media_type)) return "manifest-";
  if (IsConfigType(descriptor.media_type)) return "config-";
  return "layer-";
}

}  // namespace

absl::Status BlobFetcher::Claim(const std::string& digest, const std::function<bool()>& cancelled) {
  absl::MutexLock lock(&mu_);
  while (!claimed_.insert(digest).second) {
    if (cancelled && cancelled()) return absl::CancelledError("cancelled");
    released_.WaitWithTimeout(&mu_, absl::Milliseconds(100));
  }
  return absl::OkStatus();
}

void BlobFetcher::Release(const std::string& digest) {
  absl::MutexLock lock(&mu_);
  claimed_.erase(digest);
  released_.SignalAll();
}

absl::StatusOr<std::unique_ptr<BlobWriter>> BlobFetcher::Open(const Descriptor& descriptor,
                                                              const char* kind,
                                                              const FetchContext& context) {
  BlobWriter::Options options;
  options.lock_timeout = lock_timeout_;
  options.timeout = kWholeBlob;
  options.cancelled = context.cancelled;
  return BlobWriter::Open(
      containerd_,
      {absl::StrCat(kind, descriptor.digest), descriptor.digest, descriptor.size, context.lease},
      std::move(options));
}

absl::Status BlobFetcher::Fill(const Descriptor& descriptor, const FetchContext& context,
                               BlobWriter& writer) {
  std::string piece;
  piece.reserve(kPieceBytes);
  const auto flush = [&]() -> absl::Status {
    const absl::Status written = writer.Write(piece);
    piece.clear();
    return written;
  };
  int fruitless = 0;
  for (int attempt = 1;; ++attempt) {
    const int64_t before = writer.offset();
    absl::Status fetched = context.registry->FetchBlob(
        descriptor, before, [&](absl::string_view bytes) -> absl::Status {
          if (context.bytes != nullptr) *context.bytes += static_cast<int64_t>(bytes.size());
          piece.append(bytes.data(), bytes.size());
          return piece.size() < kPieceBytes ? absl::OkStatus() : flush();
        });
    // What came before a break counts.
    CRISP_RETURN_IF_ERROR(flush());
    if (fetched.ok() || !IsUnreachable(fetched)) return fetched;
    fruitless = writer.offset() > before ? 0 : fruitless + 1;
    if (fruitless == kMaxFruitless || attempt == kMaxAttempts) return fetched;
    const absl::Time until = absl::Now() + kFirstWait * (1 << fruitless);
    while (absl::Now() < until) {
      if (context.cancelled && context.cancelled()) return absl::CancelledError("cancelled");
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
}

absl::Status BlobFetcher::FetchBlob(const Descriptor& descriptor, const FetchContext& context) {
  CRISP_RETURN_IF_ERROR(Claim(descriptor.digest, context.cancelled));
  const auto release = absl::MakeCleanup([&] { Release(descriptor.digest); });
  while (true) {
    CRISP_ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer,
                           Open(descriptor, KindOf(descriptor), context));
    if (writer->offset() > descriptor.size) writer->Restart();
    const bool resumed = writer->offset() > 0;
    absl::Status status;
    if (!writer->complete()) status = Fill(descriptor, context, *writer);
    if (status.ok()) {
      status = writer->Commit(context.labels);
      if (absl::IsFailedPrecondition(status)) {
        // containerd has hashed all of it.
        status = absl::DataLossError(status.message());
      }
    }
    if (!absl::IsDataLoss(status)) return status;
    CRISP_RETURN_IF_ERROR(Annotate(writer->Abort(), status.message(), "; discard"));
    // The damage may be in what an earlier attempt left behind: begin anew, once.
    if (!resumed) return status;
  }
}

absl::StatusOr<std::string> BlobFetcher::FetchDocument(const Descriptor& descriptor,
                                                       const FetchContext& context) {
  if (descriptor.size > static_cast<int64_t>(kMaxJsonBytes)) {
    return absl::InvalidArgumentError(absl::StrCat(descriptor.digest, " is a document of ",
                                                   descriptor.size, " bytes; at most ",
                                                   kMaxJsonBytes, " are read"));
  }
  CRISP_RETURN_IF_ERROR(Claim(descriptor.digest, context.cancelled));
  const auto release = absl::MakeCleanup([&] { Release(descriptor.digest); });
  CRISP_ASSIGN_OR_RETURN(std::unique_ptr<BlobWriter> writer,
                         Open(descriptor, KindOf(descriptor), context));
  // A blob that another namespace has is complete but not yet readable in ours.
  const bool stored = writer->complete();
  std::string text;
  if (stored) {
    CRISP_RETURN_IF_ERROR(writer->Commit(context.labels));
    CRISP_ASSIGN_OR_RETURN(text, ReadBlob(*containerd_, descriptor.digest, kMaxJsonBytes));
  } else {
    CRISP_ASSIGN_OR_RETURN(text, context.registry->FetchDocument(descriptor));
  }
  Labels labels = context.labels;
  if (!IsConfigType(descriptor.media_type)) {
    const absl::StatusOr<ImageDocument> document = ParseImageDocument(text, descriptor.media_type);
    if (!document.ok()) return Annotate(document.status(), descriptor.digest);
    labels.merge(ReferenceLabels(*document));
  }
  if (stored) {
    CRISP_RETURN_IF_ERROR(SetLabels(*containerd_, descriptor.digest, labels));
    return text;
  }
  writer->Restart();
  CRISP_RETURN_IF_ERROR(writer->Write(text));
  CRISP_RETURN_IF_ERROR(writer->Commit(labels));
  return text;
}

}  // namespace crisp::cri

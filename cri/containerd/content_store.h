// Blobs in containerd's content store: read, write with resume, label.
//
// Ownership: functions borrow the Containerd. A BlobWriter owns its stream; when
//            it dies uncommitted, what was written stays and the next writer of
//            the same ref resumes there. Abort() throws it away.
// Threads:   functions are safe. A BlobWriter is for one thread, except Cancel().
// Errors:    containerd's own codes; DataLoss when a blob is not what its digest
//            says; OutOfRange when it is larger than the caller's bound.
// Crash:     containerd keeps partial writes for 24 h, or as long as their lease.
#ifndef CRISP_CRI_CONTAINERD_CONTENT_STORE_H_
#define CRISP_CRI_CONTAINERD_CONTENT_STORE_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cri/containerd/containerd.h"

namespace crisp::cri {

using Labels = std::map<std::string, std::string>;

struct BlobInfo {
  std::string digest;
  int64_t size = 0;
  Labels labels;
};

// NotFound if this namespace does not have the blob.
absl::StatusOr<BlobInfo> StatBlob(Containerd& containerd, const std::string& digest);

// The whole blob, checked against its digest. For manifests and configs.
absl::StatusOr<std::string> ReadBlob(Containerd& containerd, const std::string& digest,
                                     size_t max_bytes);

// Feeds the blob from `offset` to `sink`, piece by piece (about 1 MiB), until the
// end or the sink's first error, which is returned. Not checked against the digest.
absl::Status StreamBlob(Containerd& containerd, const std::string& digest, int64_t offset,
                        const std::function<absl::Status(absl::string_view)>& sink,
                        absl::Duration timeout = absl::Hours(1));

// Sets these labels and leaves the others; an empty value removes a label.
absl::Status SetLabels(Containerd& containerd, const std::string& digest, const Labels& labels);

// OK if it was gone. Garbage collection normally does this.
absl::Status DeleteBlob(Containerd& containerd, const std::string& digest);

// Throws away the partial write `ref`. OK if there is none.
absl::Status AbortWrite(Containerd& containerd, const std::string& ref);

struct BlobTarget {
  std::string ref;     // "layer-sha256:…": writers of one ref exclude each other.
  std::string digest;  // Expected; containerd refuses to commit anything else.
  int64_t size = 0;    // 0: not known; then the writer's offset decides.
  std::string lease;
};

class BlobWriter {
 public:
  struct Options {
    // How long to wait for another writer of the ref, or for containerd itself.
    absl::Duration lock_timeout = absl::Minutes(1);
    // The whole write, from Open to Commit.
    absl::Duration timeout = absl::Hours(1);
    // Asked while waiting; true makes Open return Cancelled.
    std::function<bool()> cancelled;
  };

  // Begins or resumes a write: continue at offset(). If containerd has the blob,
  // complete() is true and only Commit is left to do, for the labels' sake.
  static absl::StatusOr<std::unique_ptr<BlobWriter>> Open(Containerd* containerd, BlobTarget target,
                                                          Options options);
  static absl::StatusOr<std::unique_ptr<BlobWriter>> Open(Containerd* containerd,
                                                          BlobTarget target);
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  bool complete() const { return exists_ || (target_.size > 0 && offset_ == target_.size); }
  int64_t offset() const { return offset_; }

  // Appends, in messages of at most 1 MiB, each acknowledged. After AlreadyExists
  // from another namespace's or writer's success, exists and does nothing.
  absl::Status Write(absl::string_view data);

  // Starts over at offset 0, for a source that cannot resume.
  void Restart();

  // Ends the write. The blob then exists under target.digest with `labels`, also
  // when it had existed before. FailedPrecondition if size or digest differ.
  absl::Status Commit(const Labels& labels = {});

  // Ends the write and throws away what was written.
  absl::Status Abort();

  // From any thread: makes the call in progress, and those that follow, fail.
  void Cancel() { context_->TryCancel(); }

 private:
  using Stream = grpc::ClientReaderWriter<containerd::services::content::v1::WriteContentRequest,
                                          containerd::services::content::v1::WriteContentResponse>;

  BlobWriter(Containerd* containerd, BlobTarget target, absl::Duration timeout);
  // One message there, one back. A failure ends the stream.
  absl::StatusOr<containerd::services::content::v1::WriteContentResponse> Exchange(
      const containerd::services::content::v1::WriteContentRequest& request);
  absl::Status Finish();

  Containerd* const containerd_;
  const BlobTarget target_;
  const std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
  int64_t offset_ = 0;
  bool exists_ = false;
};

// A small blob in one go: OK if it exists already, labels set either way.
absl::Status WriteBlob(Containerd& containerd, const BlobTarget& target, absl::string_view data,
                       const Labels& labels);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_CONTENT_STORE_H_

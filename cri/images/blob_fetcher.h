// Blobs from a registry into containerd's content store, over broken connections.
//
// A download resumes where it broke off, within one pull and, while the partial
// write is there, in the next. Pulls that share a layer download it once.
//
// Ownership: borrows the Containerd.
// Threads:   safe.
// Errors:    DataLoss when the bytes are not those of the digest: then nothing of
//            them is kept. Else the registry's or the store's.
#ifndef CRISP_CRI_IMAGES_BLOB_FETCHER_H_
#define CRISP_CRI_IMAGES_BLOB_FETCHER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/content_store.h"
#include "cri/images/manifest.h"
#include "cri/images/registry/registry_client.h"

namespace crisp::cri {

// One pull's dealings with the store.
struct FetchContext {
  RegistryClient* registry = nullptr;
  std::string lease;
  Labels labels;  // For each blob: where it came from.
  std::function<bool()> cancelled;
  std::atomic<int64_t>* bytes = nullptr;  // Grows with what arrives.
};

class BlobFetcher {
 public:
  BlobFetcher(Containerd* containerd, absl::Duration lock_timeout)
      : containerd_(containerd), lock_timeout_(lock_timeout) {}

  // A layer. OK if it is in the store already.
  absl::Status FetchBlob(const Descriptor& descriptor, const FetchContext& context);

  // A manifest, index or config, stored with the labels that its content asks for.
  absl::StatusOr<std::string> FetchDocument(const Descriptor& descriptor,
                                            const FetchContext& context);

 private:
  // Holds `digest` against other downloads of it in this process.
  absl::Status Claim(const std::string& digest, const std::function<bool()>& cancelled);
  void Release(const std::string& digest);
  // Fills `writer` up to the descriptor's size.
  absl::Status Fill(const Descriptor& descriptor, const FetchContext& context, BlobWriter& writer);
  absl::StatusOr<std::unique_ptr<BlobWriter>> Open(const Descriptor& descriptor, const char* kind,
                                                   const FetchContext& context);

  Containerd* const containerd_;
  const absl::Duration lock_timeout_;

  absl::Mutex mu_;
  absl::CondVar released_;
  std::set<std::string> claimed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_BLOB_FETCHER_H_

// A pull, from a reference to an unpacked image whose content is safe under a
// lease until the caller has given it names.
//
// Layers are downloaded several at a time and unpacked in order while later ones
// still come. Progress goes to the log every few seconds.
//
// Ownership: borrows the Containerd.
// Threads:   safe; one call per pull.
// Errors:    NotFound, PermissionDenied, InvalidArgument, DataLoss per cause;
//            Cancelled; Unreachable (http_client.h) when the registry is to blame.
//            The message names reference, host and step.
// Crash:     what was stored is freed when the lease expires. After a failure
//            that a retry may overcome, partial layers stay a while for it.
#ifndef CRISP_CRI_IMAGES_PULLER_H_
#define CRISP_CRI_IMAGES_PULLER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cri/containerd/containerd.h"
#include "cri/images/blob_fetcher.h"
#include "cri/images/image_content.h"
#include "cri/images/reference.h"
#include "cri/images/registry/credentials.h"
#include "cri/images/registry/http_client.h"
#include "cri/images/unpacker.h"

namespace crisp::cri {

class Puller {
 public:
  struct Options {
    std::vector<std::string> certs_dirs;
    int parallel_layers = 3;
    absl::Duration no_progress_timeout = absl::Minutes(5);
  };

  Puller(Containerd* containerd, Options options);

  // `publish` runs while the lease holds everything: it gives the image its names.
  absl::StatusOr<ImageContent> Pull(
      const Reference& reference, const Credentials& credentials,
      const std::function<bool()>& cancelled,
      const std::function<absl::Status(const ImageContent&)>& publish);

 private:
  absl::StatusOr<ImageContent> Run(const Reference& reference, const Credentials& credentials,
                                   const std::function<bool()>& cancelled, Lease& lease);

  Containerd* const containerd_;
  const Options options_;
  HttpClient http_;
  BlobFetcher fetcher_;
  Unpacker unpacker_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_PULLER_H_

#include "cri/images/puller.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"
#include "cri/containerd/lease.h"
#include "cri/images/layer_downloads.h"
#include "cri/images/pull_progress.h"
#include "cri/images/registry/hosts.h"
#include "cri/images/registry/registry_client.h"

namespace crisp::cri {
namespace {

constexpr size_t kMaxLabelBytes = 4096;

// containerd's note of the repositories that a blob came from, for later mounts
// across repositories.
Labels SourceLabels(Containerd& containerd, const Reference& reference, const std::string& digest) {
  const std::string key = absl::StrCat("containerd.io/distribution.source.", reference.domain);
  std::set<std::string> repositories = {reference.path};
  const absl::StatusOr<BlobInfo> info = StatBlob(containerd, digest);
  if (info.ok()) {
    const auto found = info->labels.find(key);
    if (found != info->labels.end()) {
      for (absl::string_view one : absl::StrSplit(found->second, ',')) {
        repositories.insert(std::string(one));
      }
    }
  }
  const std::string value = absl::StrJoin(repositories, ",");
  if (key.size() + value.size() > kMaxLabelBytes) return {};
  return {{key, value}};
}

// A failure that the next attempt may not meet.
bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsCancelled(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

Puller::Puller(Containerd* containerd, Options options)
    : containerd_(containerd),
      options_(std::move(options)),
      fetcher_(containerd, options_.no_progress_timeout),
      unpacker_(containerd) {}

absl::StatusOr<ImageContent> Puller::Pull(
    const Reference& reference, const Credentials& credentials,
    const std::function<bool()>& cancelled,
    const std::function<absl::Status(const ImageContent&)>& publish) {
  absl::StatusOr<Lease> lease = Lease::Create(containerd_);
  if (!lease.ok()) return Annotate(lease.status(), "pull ", reference.ToString());
  absl::StatusOr<ImageContent> image = Run(reference, credentials, cancelled, *lease);
  absl::Status status = image.status();
  if (status.ok()) status = publish(*image);
  if (status.ok()) return image;
  // What is wrong for good is not kept for a retry.
  if (!MayPass(status)) (void)lease->Release(/*collect=*/true);
  return Annotate(status, "pull ", reference.ToString());
}

absl::StatusOr<ImageContent> Puller::Run(const Reference& reference, const Credentials& credentials,
                                         const std::function<bool()>& cancelled, Lease& lease) {
  CRISP_ASSIGN_OR_RETURN(std::vector<RegistryEndpoint> endpoints,
                         EndpointsFor(reference.domain, options_.certs_dirs));
  std::atomic<bool> stop = false;
  const auto stopped = [&] { return stop || (cancelled && cancelled()); };
  RegistryClient registry(
      &http_, reference,
      {std::move(endpoints), credentials, options_.no_progress_timeout, stopped});
  PullProgress progress(reference.ToString());
  FetchContext context;
  context.registry = &registry;
  context.lease = lease.id();
  context.cancelled = stopped;
  context.bytes = &progress.bytes;
  const auto with_source = [&](const Descriptor& descriptor) {
    FetchContext own = context;
    own.labels = SourceLabels(*containerd_, reference, descriptor.digest);
    return own;
  };
  CRISP_ASSIGN_OR_RETURN(const Descriptor target, registry.Resolve());
  CRISP_ASSIGN_OR_RETURN(
      ImageContent image,
      ReadImageContent(target, HostPlatform(), [&](const Descriptor& descriptor) {
        return fetcher_.FetchDocument(descriptor, with_source(descriptor));
      }));
  const std::vector<std::string> chain = ChainIds(image.config.diff_ids);
  CRISP_ASSIGN_OR_RETURN(const size_t present, unpacker_.CountPresent(chain, lease));
  progress.layers = static_cast<int>(chain.size());
  progress.layers_unpacked = static_cast<int>(present);
  int64_t total = 0;
  for (size_t i = present; i < chain.size(); ++i) total += image.manifest.layers[i].size;
  progress.total_bytes = total;
  LayerDownloads downloads(
      present, chain.size(), options_.parallel_layers,
      [&](size_t i) {
        const Descriptor& layer = image.manifest.layers[i];
        return fetcher_.FetchBlob(layer, with_source(layer));
      },
      &stop);
  CRISP_RETURN_IF_ERROR(unpacker_.Unpack(
      image, present, lease,
      [&](size_t i) {
        if (i > present) ++progress.layers_unpacked;
        return downloads.Wait(i);
      },
      cancelled));
  progress.layers_unpacked = static_cast<int>(chain.size());
  progress.Done();
  return image;
}

}  // namespace crisp::cri

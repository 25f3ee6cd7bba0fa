#include "cri/images/image_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"
#include "cri/containerd/lease.h"
#include "cri/images/image_catalog.h"
#include "cri/images/image_records.h"
#include "cri/images/import/importer.h"
#include "cri/images/json_fields.h"
#include "cri/images/pull_flights.h"
#include "cri/images/puller.h"
#include "cri/images/reference.h"

namespace crisp::cri {
namespace {

constexpr char kRootLabel[] = "containerd.io/gc.root";

// What makes two pulls the same: callers with other credentials must prove
// themselves. The key stays in memory and is a digest at that.
std::string FlightKey(const Reference& reference, const Credentials& credentials) {
  return Sha256Digest(absl::StrCat(reference.ToString(), std::string(1, '\0'), credentials.username,
                                   std::string(1, '\0'), credentials.password, std::string(1, '\0'),
                                   credentials.identity_token, std::string(1, '\0'),
                                   credentials.registry_token));
}

// The row names of an image that was asked for as `reference`.
std::vector<std::string> RowNames(const Reference& reference, const ImageContent& content) {
  std::vector<std::string> out = {reference.ToString(),
                                  absl::StrCat(reference.Name(), "@", content.target.digest)};
  if (out[0] == out[1]) out.pop_back();
  return out;
}

}  // namespace

class ImageStore::Impl {
 public:
  Impl(Containerd* containerd, Clock* clock, ImageStoreOptions options)
      : containerd_(containerd),
        clock_(clock),
        records_(containerd),
        snapshots_(containerd),
        pins_(&snapshots_),
        meter_(containerd, clock),
        unpacker_(containerd),
        importer_(containerd),
        puller_(containerd,
                {options.certs_dirs, options.parallel_layers, options.no_progress_timeout}) {
    for (const std::string& name : options.pinned) {
      const absl::StatusOr<Reference> reference = ParseReference(name);
      pinned_.insert(reference.ok() ? reference->ToString() : name);
    }
  }

  absl::Status Load();
  absl::Status Remove(const std::string& ref);
  absl::StatusOr<std::string> Pull(const std::string& ref, const Credentials& credentials,
                                   const Cancelled& cancelled);
  absl::StatusOr<std::vector<Image>> Import(ArchiveReader& archive, const std::string& name);

  using Mounts = SnapshotStore::Mounts;
  using MakeSnapshot = absl::StatusOr<Mounts> (SnapshotStore::*)(const std::string&,
                                                                 const std::string&,
                                                                 const SnapshotStore::Labels&,
                                                                 const std::string&);
  absl::StatusOr<Mounts> Make(MakeSnapshot make, const Image& image, const std::string& key,
                              const std::string& lease, SnapshotStore::Labels labels = {});

  absl::StatusOr<PinnedLayers> Pin(const Image& image, const std::string& user);
  absl::Status Unpin(const std::string& key, const std::string& user);
  absl::Status RecoverPins(const std::map<std::string, std::string>& users);

  Containerd* containerd() { return containerd_; }
  const ImageCatalog& catalog() const { return catalog_; }
  FsUsageMeter& meter() { return meter_; }
  SnapshotStore& snapshots() { return snapshots_; }

 private:
  // Writes the rows of `content`, its id's included, then tells the catalog.
  absl::Status Publish(const ImageContent& content, std::vector<std::string> names)
      ABSL_LOCKS_EXCLUDED(rows_mu_);
  // An image with these layers other than the one with the id `except`.
  bool HasChain(absl::string_view chain_id, absl::string_view except = "") const;
  absl::Status DropPins(const Image& image);

  Containerd* const containerd_;
  Clock* const clock_;
  ImageRecords records_;
  SnapshotStore snapshots_;
  LayerPins pins_;
  FsUsageMeter meter_;
  Unpacker unpacker_;
  Importer importer_;
  std::set<std::string> pinned_;
  ImageCatalog catalog_;
  // Keeps containerd's rows and the catalog in step: one change of names at a time.
  // Reads do not take it.
  absl::Mutex rows_mu_;
  Puller puller_;
  PullFlights flights_;  // Last: its threads use all of the above.
};

absl::Status ImageStore::Impl::Load() {
  absl::MutexLock lock(&rows_mu_);
  CRISP_ASSIGN_OR_RETURN(const std::vector<ImageRecord> records, records_.List());
  ImageCatalog fresh;
  std::map<std::string, absl::StatusOr<ImageContent>> seen;  // By target.
  for (const ImageRecord& record : records) {
    auto found = seen.find(record.target.digest);
    if (found == seen.end()) {
      absl::StatusOr<ImageContent> content =
          LoadImageContent(*containerd_, record.target, HostPlatform());
      if (absl::IsUnavailable(content.status())) return Annotate(content.status(), "load images");
      if (!content.ok()) {
        LogWarn("image is incomplete and left out",
                {{"image", record.name}, {"error", content.status()}});
      }
      found = seen.emplace(record.target.digest, std::move(content)).first;
    }
    if (!found->second.ok()) continue;
    fresh.Put(*found->second, record.name, record.pinned || pinned_.count(record.name) != 0);
  }
  catalog_.Swap(fresh);
  return absl::OkStatus();
}

absl::Status ImageStore::Impl::Publish(const ImageContent& content,
                                       std::vector<std::string> names) {
  names.push_back(content.config.id);
  absl::MutexLock lock(&rows_mu_);
  for (const std::string& name : names) {
    CRISP_RETURN_IF_ERROR(records_.Put({name, content.target, pinned_.count(name) != 0}));
  }
  for (const std::string& name : names) catalog_.Put(content, name, pinned_.count(name) != 0);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ImageStore::Impl::Pull(const std::string& ref,
                                                   const Credentials& credentials,
                                                   const Cancelled& cancelled) {
  CRISP_ASSIGN_OR_RETURN(const Reference reference, ParseReference(ref));
  return flights_.Run(
      FlightKey(reference, credentials), cancelled,
      [this, reference, credentials](const Cancelled& stop) -> absl::StatusOr<std::string> {
        CRISP_ASSIGN_OR_RETURN(
            const ImageContent content,
            puller_.Pull(reference, credentials, stop, [&](const ImageContent& pulled) {
              return Publish(pulled, RowNames(reference, pulled));
            }));
        return content.config.id;
      });
}

absl::StatusOr<std::vector<Image>> ImageStore::Impl::Import(ArchiveReader& archive,
                                                            const std::string& name) {
  CRISP_ASSIGN_OR_RETURN(
      const std::vector<ImportedContent> imported,
      importer_.Import(archive, name, [&](const std::vector<ImportedContent>& images) {
        for (const ImportedContent& image : images) {
          std::vector<std::string> names;
          for (const Reference& reference : image.names) {
            for (std::string& row : RowNames(reference, image.content)) {
              names.push_back(std::move(row));
            }
          }
          CRISP_RETURN_IF_ERROR(Publish(image.content, std::move(names)));
        }
        return absl::OkStatus();
      }));
  std::vector<Image> out;
  for (const ImportedContent& image : imported) {
    CRISP_ASSIGN_OR_RETURN(Image one, catalog_.Resolve(image.content.config.id));
    out.push_back(std::move(one));
  }
  return out;
}

absl::Status ImageStore::Impl::Remove(const std::string& ref) {
  const absl::StatusOr<Image> image = catalog_.Resolve(ref);
  if (absl::IsNotFound(image.status())) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(image.status());
  absl::MutexLock lock(&rows_mu_);
  const std::vector<std::string> names = catalog_.Names(image->id);
  for (size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    // Before the last name: the collection that follows it shall free the layers.
    if (last) CRISP_RETURN_IF_ERROR(DropPins(*image));
    CRISP_RETURN_IF_ERROR(records_.Delete(names[i], /*collect=*/last));
  }
  catalog_.Remove(image->id);
  // A container that ended meanwhile has left the view to the image.
  CRISP_RETURN_IF_ERROR(DropPins(*image));
  return absl::OkStatus();
}

absl::StatusOr<ImageStore::Impl::Mounts> ImageStore::Impl::Make(MakeSnapshot make,
                                                                const Image& image,
                                                                const std::string& key,
                                                                const std::string& lease,
                                                                SnapshotStore::Labels labels) {
  labels[kRootLabel] = absl::FormatTime(absl::RFC3339_sec, clock_->Now(), absl::UTCTimeZone());
  absl::StatusOr<Mounts> mounts = (snapshots_.*make)(key, image.chain_id, labels, lease);
  if (absl::IsNotFound(mounts.status())) {
    // Someone removed the unpacked layers; the compressed ones may still be there.
    CRISP_ASSIGN_OR_RETURN(const ImageContent content, catalog_.Content(image.id));
    CRISP_ASSIGN_OR_RETURN(Lease unpacking, Lease::Create(containerd_));
    CRISP_RETURN_IF_ERROR(
        Annotate(unpacker_.UnpackStored(content, unpacking, nullptr), "image ", image.id));
    mounts = (snapshots_.*make)(key, image.chain_id, labels, lease);
  }
  if (absl::IsAlreadyExists(mounts.status())) mounts = snapshots_.MountsOf(key);
  return Annotate(std::move(mounts), "snapshot ", key, " of image ", image.id);
}

absl::StatusOr<PinnedLayers> ImageStore::Impl::Pin(const Image& image, const std::string& user) {
  return pins_.Pin(image.chain_id, user, [&](const std::string& key) {
    return Make(&SnapshotStore::View, image, key, "", {{LayerPins::kLabel, image.chain_id}});
  });
}

bool ImageStore::Impl::HasChain(absl::string_view chain_id, absl::string_view except) const {
  for (const Image& image : catalog_.List()) {
    if (image.chain_id == chain_id && image.id != except) return true;
  }
  return false;
}

absl::Status ImageStore::Impl::DropPins(const Image& image) {
  if (image.chain_id.empty() || HasChain(image.chain_id, image.id)) return absl::OkStatus();
  return pins_.Drop(image.chain_id);
}

absl::Status ImageStore::Impl::Unpin(const std::string& key, const std::string& user) {
  return pins_.Unpin(key, user, HasChain(LayerPins::ChainOf(key)));
}

absl::Status ImageStore::Impl::RecoverPins(const std::map<std::string, std::string>& users) {
  std::set<std::string> chain_ids;
  for (const Image& image : catalog_.List()) chain_ids.insert(image.chain_id);
  return pins_.Recover(users, chain_ids);
}

ImageStore::ImageStore(Containerd* containerd, Clock* clock, ImageStoreOptions options)
    : impl_(std::make_unique<Impl>(containerd, clock, std::move(options))) {}

ImageStore::~ImageStore() = default;

absl::Status ImageStore::Load() { return impl_->Load(); }

absl::StatusOr<Image> ImageStore::Resolve(const std::string& ref) const {
  return impl_->catalog().Resolve(ref);
}

std::vector<Image> ImageStore::List() const { return impl_->catalog().List(); }

absl::Status ImageStore::Remove(const std::string& ref) { return impl_->Remove(ref); }

absl::StatusOr<std::string> ImageStore::Pull(const std::string& ref, const Credentials& credentials,
                                             const Cancelled& cancelled) {
  return impl_->Pull(ref, credentials, cancelled);
}

absl::StatusOr<std::vector<Image>> ImageStore::Import(ArchiveReader& archive,
                                                      const std::string& name) {
  return impl_->Import(archive, name);
}

absl::StatusOr<std::string> ImageStore::ConfigJson(const Image& image) {
  return ReadBlob(*impl_->containerd(), image.id, kMaxJsonBytes);
}

absl::StatusOr<FsUsage> ImageStore::FsInfo() { return impl_->meter().Measure(); }

absl::StatusOr<std::vector<containerd::types::Mount>> ImageStore::PrepareSnapshot(
    const Image& image, const std::string& key, const std::string& lease) {
  return impl_->Make(&SnapshotStore::Prepare, image, key, lease);
}

absl::StatusOr<std::vector<containerd::types::Mount>> ImageStore::ViewSnapshot(
    const Image& image, const std::string& key, const std::string& lease) {
  return impl_->Make(&SnapshotStore::View, image, key, lease);
}

absl::StatusOr<std::vector<containerd::types::Mount>> ImageStore::SnapshotMounts(
    const std::string& key) {
  return impl_->snapshots().MountsOf(key);
}

absl::Status ImageStore::RemoveSnapshot(const std::string& key) {
  return impl_->snapshots().Remove(key);
}

bool ImageStore::pins_layers() const { return impl_->containerd()->snapshotter() == "overlayfs"; }

absl::StatusOr<PinnedLayers> ImageStore::PinLayers(const Image& image, const std::string& user) {
  return impl_->Pin(image, user);
}

absl::Status ImageStore::UnpinLayers(const std::string& key, const std::string& user) {
  return impl_->Unpin(key, user);
}

absl::Status ImageStore::RecoverPins(const std::map<std::string, std::string>& users) {
  return impl_->RecoverPins(users);
}

absl::StatusOr<SnapshotUsage> ImageStore::Usage(const std::string& key) {
  return impl_->snapshots().Usage(key);
}

}  // namespace crisp::cri

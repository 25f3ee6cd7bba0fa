// What has been, or is being, attached by CNI: one file an attachment, in the form
// of libcni's own cache ("cniCacheV1").
//
//   <dir>/attempts/<network>-<container>-<interface>   before the first ADD is executed
//   <dir>/<network>-<container>-<interface>            after the last one succeeded
//
// Threads: safe between different containers; the caller serialises one container.
// Errors:  errno kept.
// Crash:   files appear whole. Whoever finds an attempt without a result knows
//          that ADD may have done something, and with which configuration to DEL.
#ifndef CRISP_NETNS_CNI_ATTACHMENT_CACHE_H_
#define CRISP_NETNS_CNI_ATTACHMENT_CACHE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "netns/cni/arguments.h"

namespace crisp::netns {

struct CachedAttachment {
  std::string container_id;
  std::string interface_name;
  std::string network;
  std::string netns_path;
  std::string config;  // Bytes of the configuration list.
  CniArgs cni_args;
  nlohmann::json capability_args = nlohmann::json::object();
  nlohmann::json result;  // Null: ADD was attempted and has not been seen to succeed.

  // Set by Find and List.
  bool ours = true;         // Written by crisp, not by another runtime that shares the directory.
  absl::Status unreadable;  // The file is damaged; only its name could be told.
};

class AttachmentCache {
 public:
  explicit AttachmentCache(std::string dir)
      : dir_(std::move(dir)), attempts_dir_(dir_ + "/attempts") {}

  absl::Status WriteAttempt(const CachedAttachment& attachment) const;
  absl::Status WriteResult(const CachedAttachment& attachment) const;  // Ends the attempt.
  absl::Status Remove(const CachedAttachment& attachment) const;       // OK if absent.

  // Attachments of one container, and of all. A result hides its attempt.
  absl::StatusOr<std::vector<CachedAttachment>> Find(const std::string& container_id) const;
  absl::StatusOr<std::vector<CachedAttachment>> List() const;

 private:
  absl::StatusOr<std::vector<CachedAttachment>> Read(const std::string& name_suffix) const;

  const std::string dir_;
  const std::string attempts_dir_;
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_CNI_ATTACHMENT_CACHE_H_

// A containerd lease: what is made under it stays out of garbage collection's
// reach until the lease ends.
//
// Ownership: owns the lease; the destructor deletes it, on a deadline of its own.
//            The Containerd is borrowed and must outlive the lease.
// Threads:   a value; id() may be read from any thread while nobody moves it.
// Errors:    a deletion that fails in the destructor is left to the expiry.
// Crash:     the lease carries an expiry label (24 h), so that one whose owner
//            died does not hold content for ever.
#ifndef CRISP_CRI_CONTAINERD_LEASE_H_
#define CRISP_CRI_CONTAINERD_LEASE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cri/containerd/containerd.h"

namespace crisp::cri {

class Lease {
 public:
  static constexpr absl::Duration kLifetime = absl::Hours(24);

  static absl::StatusOr<Lease> Create(Containerd* containerd, absl::Duration lifetime = kLifetime);

  // Deletes the leases that an earlier process made in this namespace and did not
  // live to release. For start-up, before the first Create.
  static absl::Status ReleaseLeftovers(Containerd* containerd);

  Lease(Lease&& other) noexcept
      : containerd_(other.containerd_), id_(std::exchange(other.id_, "")) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  // Empty once released or moved from.
  const std::string& id() const { return id_; }

  // Puts an object that exists already under the lease. `type` as containerd
  // names it: "content", "ingests", "snapshots/overlayfs".
  absl::Status Add(const std::string& type, const std::string& resource_id);

  // Deletes the lease now; with `collect`, returns when garbage collection has
  // run. OK if it was gone. The destructor then has nothing to do.
  absl::Status Release(bool collect = false);

 private:
  Lease(Containerd* containerd, std::string id) : containerd_(containerd), id_(std::move(id)) {}

  Containerd* containerd_;
  std::string id_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_LEASE_H_

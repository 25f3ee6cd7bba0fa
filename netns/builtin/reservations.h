// Who holds which address and host port of the built-in network: one file a
// sandbox, written before anything else is done for it.
//
// Ownership: owns the directory's content and a lock file in it.
// Threads:   safe. Processes too: each operation holds the lock file and notices
//            what another process changed in between.
// Errors:    AlreadyExists for a host port that another sandbox holds, with its
//            name; ResourceExhausted when no address is left; errno kept.
// Crash:     files appear whole. One that cannot be read holds nothing, and is
//            deleted when it is met.
//
// Addresses are given out in turn, so that one that was just freed rests: peers may
// still have connections to it in mind.
#ifndef CRISP_NETNS_BUILTIN_RESERVATIONS_H_
#define CRISP_NETNS_BUILTIN_RESERVATIONS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "netns/attachment.h"
#include "netns/ipv4.h"

namespace crisp::netns {

struct Reservation {
  std::string sandbox_id;
  std::string pod;  // "namespace/name", for messages.
  Ipv4 ip;
  std::string link;  // The host's end of the veth pair.
  std::vector<PortMapping> ports;
};

class Reservations {
 public:
  // `subnet` has a prefix of 8 to 29; its first address is the gateway's.
  Reservations(std::string dir, Ipv4Net subnet) : dir_(std::move(dir)), subnet_(subnet) {}

  // Takes the next free address, and `ports`, which are canonical. AlreadyExists
  // too if the sandbox holds a reservation.
  absl::StatusOr<Reservation> Reserve(const std::string& sandbox_id, const std::string& pod,
                                      const std::vector<PortMapping>& ports);

  absl::StatusOr<Reservation> Find(const std::string& sandbox_id);  // NotFound
  absl::StatusOr<std::vector<Reservation>> List();
  absl::Status Free(const std::string& sandbox_id);  // OK if absent.

  Ipv4 gateway() const { return Ipv4{subnet_.Network().value + 1}; }
  const Ipv4Net& subnet() const { return subnet_; }

 private:
  // Takes the lock file and brings the index up to date.
  absl::StatusOr<UniqueFd> Enter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Announces a change to other processes. Call before making it.
  absl::Status Announce(int lock_fd) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Reload() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Ipv4> NextFree() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Index(Reservation reservation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string dir_;
  const Ipv4Net subnet_;
  absl::Mutex mu_;
  // The lock file holds a counter of changes and the address given out last.
  int64_t generation_ ABSL_GUARDED_BY(mu_) = -1;
  Ipv4 last_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Reservation> by_sandbox_ ABSL_GUARDED_BY(mu_);
  std::set<Ipv4> taken_ ABSL_GUARDED_BY(mu_);
};

// The name of the host's end of a sandbox's veth pair; starts with kLinkPrefix.
std::string LinkName(const std::string& sandbox_id);
inline constexpr char kLinkPrefix[] = "crv";

}  // namespace crisp::netns

#endif  // CRISP_NETNS_BUILTIN_RESERVATIONS_H_

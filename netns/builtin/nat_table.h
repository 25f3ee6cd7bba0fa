// The nftables table of the built-in network: masquerade for what pods send out,
// and host ports, which are elements of two maps.
//
// Nothing of other programs' tables is touched, and every change is one
// transaction: packets see the old rules or the new ones.
//
// Ownership: the table outlives the object; Remove() ends it. The object works in
//            the network namespace of the thread that made it.
// Threads:   safe.
// Errors:    Internal with nftables' own words.
#ifndef CRISP_NETNS_BUILTIN_NAT_TABLE_H_
#define CRISP_NETNS_BUILTIN_NAT_TABLE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "netns/builtin/reservations.h"
#include "netns/ipv4.h"
#include "netns/netlink.h"

struct nft_ctx;

namespace crisp::netns {

class NatTable {
 public:
  // The table is called "crisp" for the bridge "crisp0", else "crisp_<bridge>", so
  // that two nodes on one machine keep out of each other's rules.
  NatTable(std::string bridge, Ipv4Net subnet);
  ~NatTable();
  NatTable(const NatTable&) = delete;
  NatTable& operator=(const NatTable&) = delete;

  // Makes the table say exactly this: the rules, and the ports of `reservations`.
  absl::Status Write(const std::vector<Reservation>& reservations);

  // Whether the table is there; a firewall's reload may have flushed it.
  absl::StatusOr<bool> Exists();

  absl::Status Remove();  // OK if absent.

  const std::string& name() const { return table_; }

 private:
  absl::Status Run(const std::string& commands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string bridge_;
  const Ipv4Net subnet_;
  const std::string table_;
  absl::Mutex mu_;
  std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context_ ABSL_GUARDED_BY(mu_);
};

// The transaction that Write runs, for its test.
std::string NatCommands(const std::string& table, const std::string& bridge, const Ipv4Net& subnet,
                        const std::vector<Reservation>& reservations);

}  // namespace crisp::netns

#endif  // CRISP_NETNS_BUILTIN_NAT_TABLE_H_

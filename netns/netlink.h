// One netlink socket: a request, its answers, and the kernel's verdict.
//
// Ownership: owns its socket, which belongs to the network namespace of the
//            thread that called Open, for ever.
// Threads:   one at a time.
// Errors:    the kernel's errno, with its own words where it gives them
//            (NETLINK_EXT_ACK).
#ifndef CRISP_NETNS_NETLINK_H_
#define CRISP_NETNS_NETLINK_H_

#include <libmnl/libmnl.h>

#include <array>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace crisp::netns {

// A request under construction: add attributes to header() with mnl_attr_put*.
// Ours are all far below the buffer's size.
class NetlinkRequest {
 public:
  NetlinkRequest(uint16_t type, uint16_t flags);
  NetlinkRequest(const NetlinkRequest&) = delete;
  NetlinkRequest& operator=(const NetlinkRequest&) = delete;

  // Adds the family's fixed header, zeroed. Call once, before any attribute.
  template <typename T>
  T* AddHeader() {
    return static_cast<T*>(mnl_nlmsg_put_extra_header(header_, sizeof(T)));
  }
  nlmsghdr* header() { return header_; }

 private:
  alignas(nlmsghdr) std::array<char, 2048> buffer_{};
  nlmsghdr* header_;
};

// Calls `f` with each attribute of `message` after its fixed header of
// `header_bytes`, and with each one inside `outer`. (libmnl's own macros are C.)
template <typename F>
void ForEachAttribute(const nlmsghdr* message, size_t header_bytes, F f) {
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  const auto* attribute =
      static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, header_bytes));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    f(attribute);
    attribute = mnl_attr_next(attribute);
  }
}
template <typename F>
void ForEachNested(const nlattr* outer, F f) {
  const auto* attribute = static_cast<const nlattr*>(mnl_attr_get_payload(outer));
  const char* end = reinterpret_cast<const char*>(attribute) + mnl_attr_get_payload_len(outer);
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    f(attribute);
    attribute = mnl_attr_next(attribute);
  }
}

class Netlink {
 public:
  using OnMessage = std::function<void(const nlmsghdr*)>;

  // `bus` is NETLINK_ROUTE or NETLINK_NETFILTER.
  static absl::StatusOr<Netlink> Open(int bus);

  // Sends `request` and reads until its acknowledgement or the end of its dump,
  // calling `on_message` with each answer. `what` names the request in errors.
  // Aborted if a dump changed while it was read: ask again.
  absl::Status Talk(absl::string_view what, NetlinkRequest* request,
                    const OnMessage& on_message = nullptr);

 private:
  explicit Netlink(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  uint32_t sequence_ = 0;
};

}  // namespace crisp::netns

#endif  // CRISP_NETNS_NETLINK_H_

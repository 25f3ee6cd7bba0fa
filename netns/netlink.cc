#include "netns/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::netns {
namespace {

// The kernel never fills more than 32 KiB into one datagram of a dump.
constexpr size_t kReceiveBuffer = 32 << 10;

// The sentence that the kernel attached to a refusal; empty if it has none.
std::string ExtendedAck(const nlmsghdr* message, const nlmsgerr* error) {
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  // The offending request is echoed in full unless the kernel capped it.
  size_t offset = sizeof(nlmsgerr);
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) {
    offset += error->msg.nlmsg_len - sizeof(nlmsghdr);
  }
  std::string words;
  ForEachAttribute(message, offset, [&words](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
        mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
      words = mnl_attr_get_str(attribute);
    }
  });
  return words;
}

absl::Status Verdict(absl::string_view what, const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) {
    return absl::InternalError(absl::StrCat(what, ": truncated netlink acknowledgement"));
  }
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
  if (error->error == 0) return absl::OkStatus();
  const std::string words = ExtendedAck(message, error);
  return ErrnoStatus(-error->error,
                     words.empty() ? std::string(what) : absl::StrCat(what, ": ", words));
}

}  // namespace

NetlinkRequest::NetlinkRequest(uint16_t type, uint16_t flags)
    : header_(mnl_nlmsg_put_header(buffer_.data())) {
  header_->nlmsg_type = type;
  header_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
}

absl::StatusOr<Netlink> Netlink::Open(int bus) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd socket, SysFd("open netlink socket", [&] {
                           return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);
                         }));
  const int on = 1;
  CRISP_RETURN_IF_ERROR(Sys("ask for netlink's extended errors", [&] {
    return ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  }));
  return Netlink(std::move(socket));
}

absl::Status Netlink::Talk(absl::string_view what, NetlinkRequest* request,
                           const OnMessage& on_message) {
  nlmsghdr* header = request->header();
  const bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (!dump) header->nlmsg_flags |= NLM_F_ACK;
  header->nlmsg_seq = ++sequence_;
  CRISP_RETURN_IF_ERROR(
      Sys(what, [&] { return ::send(socket_.get(), header, header->nlmsg_len, 0); }));
  std::vector<char> buffer(kReceiveBuffer);
  bool interrupted = false;
  while (true) {
    CRISP_ASSIGN_OR_RETURN(const ssize_t received, SysValue(what, [&] {
                             return ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
                           }));
    int left = static_cast<int>(received);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      // What an earlier request left behind after an error is not for us.
      if (message->nlmsg_seq != sequence_) continue;
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (message->nlmsg_type == NLMSG_ERROR) return Verdict(what, message);
      if (message->nlmsg_type == NLMSG_DONE) {
        if (!interrupted) return absl::OkStatus();
        return absl::AbortedError(absl::StrCat(what, ": the dump changed while it was read"));
      }
      if (message->nlmsg_type >= NLMSG_MIN_TYPE && on_message) on_message(message);
    }
  }
}

}  // namespace crisp::netns

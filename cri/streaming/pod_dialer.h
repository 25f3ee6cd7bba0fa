// Connections to a port on a pod's own loopback.
//
// Ownership: what is dialled is the caller's.
// Threads:   Dial from the executor; the handler is called on it. Making the sockets in
//            the pod's namespace happens on a blocking thread.
// Errors:    the kernel's, of the IPv4 attempt when neither answers.
#ifndef CRISP_CRI_STREAMING_POD_DIALER_H_
#define CRISP_CRI_STREAMING_POD_DIALER_H_

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cri/streaming/stream_context.h"

namespace crisp::cri {

using DialHandler =
    std::function<void(absl::StatusOr<std::shared_ptr<boost::asio::ip::tcp::socket>>)>;

// 127.0.0.1 first, then [::1]. `netns_path` empty: the host's namespace.
void DialPod(const StreamContext& context, const std::string& netns_path, uint16_t port,
             DialHandler handler);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_POD_DIALER_H_

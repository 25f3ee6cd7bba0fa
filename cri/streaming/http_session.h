// One connection to the streaming server, from its first byte until what it wants to
// speak is known: TLS, the request, the token, the protocol.
//
// Ownership: kept alive by its operations under way; gives the socket on.
// Threads:   the executor only.
// Errors:    answered in HTTP: 400, 403 (no common protocol), 404 (no such token), 405.
#ifndef CRISP_CRI_STREAMING_HTTP_SESSION_H_
#define CRISP_CRI_STREAMING_HTTP_SESSION_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>

#include "cri/streaming/stream_context.h"
#include "cri/streaming/token_cache.h"

namespace crisp::cri {

// `tls` may be null. `set_abort` is told, now and whenever it changes, what ends the
// connection at once; `on_gone` is called once, when it is over.
void ServeHttp(const StreamContext& context, boost::asio::ip::tcp::socket socket,
               boost::asio::ssl::context* tls, TokenCache* tokens,
               std::function<void(std::function<void()>)> set_abort, std::function<void()> on_gone);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_HTTP_SESSION_H_

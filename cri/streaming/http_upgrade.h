// A request to speak something else than HTTP, with the socket that it came on.
//
// Ownership: a value that owns the socket.
#ifndef CRISP_CRI_STREAMING_HTTP_UPGRADE_H_
#define CRISP_CRI_STREAMING_HTTP_UPGRADE_H_

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <string>

#include "cri/streaming/client_socket.h"

namespace crisp::cri {

struct HttpUpgrade {
  ClientSocket socket;
  boost::beast::http::request<boost::beast::http::empty_body> request;
  std::string early;  // Bytes that came right behind the request.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_HTTP_UPGRADE_H_

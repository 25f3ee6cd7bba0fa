// A ByteTransport over the client's own socket.
#ifndef CRISP_CRI_STREAMING_SOCKET_TRANSPORT_H_
#define CRISP_CRI_STREAMING_SOCKET_TRANSPORT_H_

#include <memory>
#include <string>

#include "cri/streaming/byte_transport.h"
#include "cri/streaming/client_socket.h"

namespace crisp::cri {

// `early`: bytes that came behind the request and are the first to be read.
std::shared_ptr<ByteTransport> MakeSocketTransport(ClientSocket socket, std::string early);

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_SOCKET_TRANSPORT_H_

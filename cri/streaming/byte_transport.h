// A connection's bytes: a socket with or without TLS, or the messages of a WebSocket.
//
// Ownership: handlers are called once each and then dropped; the transport is kept alive
//            by its calls under way.
// Threads:   the connection's executor only.
// Errors:    asio's; an end of file is one.
#ifndef CRISP_CRI_STREAMING_BYTE_TRANSPORT_H_
#define CRISP_CRI_STREAMING_BYTE_TRANSPORT_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <functional>
#include <string>

namespace crisp::cri {

class ByteTransport {
 public:
  using ReadHandler = std::function<void(boost::system::error_code error, size_t n)>;
  using WriteHandler = std::function<void(boost::system::error_code error)>;

  virtual ~ByteTransport() = default;

  virtual boost::asio::any_io_executor executor() = 0;

  // Some bytes. One at a time.
  virtual void AsyncRead(boost::asio::mutable_buffer buffer, ReadHandler handler) = 0;
  // All of `bytes`. One at a time.
  virtual void AsyncWrite(std::string bytes, WriteHandler handler) = 0;

  // Nothing more will be written; reading goes on until the peer ends it.
  virtual void ShutdownWrite() = 0;
  // Ends everything; what is under way fails.
  virtual void Close() = 0;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_BYTE_TRANSPORT_H_

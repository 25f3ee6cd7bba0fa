// The HTTP server that kubelet, crictl and kubectl stream through: exec, attach and port
// forwarding.
//
//   Admit ──▶ http://ADDRESS/exec/TOKEN ──▶ client connects ──▶ SPDY/3.1 or WebSocket
//
// A URL is good once and for a minute; what it does was settled when it was admitted.
// The token is the only secret: without TLS the address should be a loopback one, where
// kubelet, which proxies for everybody else, reaches it.
//
// Ownership: owns one thread for all connections and a few for calls that block; borrows
//            the drivers behind the requests. Stop, or the destructor, ends every
//            session as if its client had gone.
// Threads:   safe.
// Errors:    why the address cannot be listened on or the key not be used; of Admit
//            ResourceExhausted when too many wait for their clients.
// Crash:     sessions end; processes and containers run on.
#ifndef CRISP_CRI_STREAMING_STREAMING_SERVER_H_
#define CRISP_CRI_STREAMING_STREAMING_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cri/streaming/stream_request.h"

namespace crisp::cri {

class StreamingServer {
 public:
  struct Options {
    std::string address = "127.0.0.1:0";  // "[::1]:0" too. Port 0: any.
    std::string tls_cert_file;            // PEM. Empty: no TLS.
    std::string tls_key_file;
    absl::Duration idle_timeout = absl::Hours(4);
    absl::Duration creation_timeout = absl::Seconds(30);
  };

  static absl::StatusOr<std::unique_ptr<StreamingServer>> Start(const Options& options,
                                                                const Clock* clock);
  ~StreamingServer();

  // The URL where the client shall connect.
  absl::StatusOr<std::string> Admit(StreamRequest request);

  // "http://127.0.0.1:34567"
  const std::string& base_url() const;

  // Idempotent.
  void Stop();

 private:
  struct Impl;
  explicit StreamingServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_STREAMING_SERVER_H_

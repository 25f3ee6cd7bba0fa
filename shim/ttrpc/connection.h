// One connection of a TtrpcServer.
#ifndef CRISP_SHIM_TTRPC_CONNECTION_H_
#define CRISP_SHIM_TTRPC_CONNECTION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "shim/loop/loop.h"
#include "shim/ttrpc/frame.h"
#include "shim/ttrpc/server.h"

namespace crisp::shim {

class Connection {
 public:
  Connection(TtrpcServer* server, uint64_t id, UniqueFd socket);
  ~Connection();

  absl::Status Start();

  // Queues one response frame and writes what the socket takes.
  void Send(uint32_t stream, absl::string_view payload);
  bool flushed() const { return out_.empty(); }

 private:
  void OnEvents(uint32_t events);
  bool Read();  // False: the connection is over.
  bool Write();
  void OnFrame(const FrameHeader& header, absl::string_view payload, bool fits);
  void Refuse(uint32_t stream, const absl::Status& status);

  TtrpcServer* const server_;
  const uint64_t id_;
  const UniqueFd socket_;
  Loop::Id watch_ = 0;
  FrameParser parser_{kMaxFramePayload};
  uint32_t last_stream_ = 0;
  std::string out_;  // What the socket did not take yet.
  size_t sent_ = 0;  // Of out_.
  bool waiting_to_write_ = false;
  bool broken_ = false;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TTRPC_CONNECTION_H_

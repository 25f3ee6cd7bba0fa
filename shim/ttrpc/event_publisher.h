// Forwards task events to containerd, in the order they happened.
//
// One queue, one event under way: the next is sent when containerd has acknowledged the
// one before. While containerd is away (it restarts) events wait, and are sent once it is
// back.
//
// Ownership: owns its connection.
// Threads:   the loop's. Publish never blocks.
// Errors:    none reach the caller. An event that containerd refuses is tried a few
//            times and then dropped; so are the oldest when more than 2048 wait.
// Crash:     what waits is lost with the process: exits are on disk before.
#ifndef CRISP_SHIM_TTRPC_EVENT_PUBLISHER_H_
#define CRISP_SHIM_TTRPC_EVENT_PUBLISHER_H_

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/unique_fd.h"
#include "shim/loop/loop.h"
#include "shim/ttrpc/frame.h"

namespace crisp::shim {

class EventPublisher {
 public:
  static constexpr size_t kMaxQueued = 2048;

  // `address`: the path of containerd's ttrpc socket; empty: events go nowhere.
  EventPublisher(Loop* loop, std::string address, std::string ns)
      : loop_(loop), address_(std::move(address)), namespace_(std::move(ns)) {}
  ~EventPublisher();
  EventPublisher(const EventPublisher&) = delete;
  EventPublisher& operator=(const EventPublisher&) = delete;

  // `type`: "containerd.events.TaskExit".
  void Publish(absl::string_view topic, absl::string_view type,
               const google::protobuf::MessageLite& event);

  bool idle() const { return queue_.empty(); }

 private:
  struct Queued {
    std::string request;  // A whole wire::Request.
    int refusals = 0;
  };

  void SendNext();
  bool Connect();
  void Disconnect();
  void RetryLater();
  void OnEvents(uint32_t events);
  void Write();
  void OnResponse(absl::string_view payload);

  Loop* const loop_;
  const std::string address_;
  const std::string namespace_;
  std::deque<Queued> queue_;

  UniqueFd socket_;
  Loop::Id watch_ = 0;
  Loop::Id timer_ = 0;  // Runs out: of an answer, or of the pause before a retry.
  FrameParser parser_{kMaxFramePayload};
  uint32_t next_stream_ = 1;
  std::string out_;         // Of the frame under way, what is not sent yet.
  bool in_flight_ = false;  // The head of the queue was sent, or is being.
  bool waiting_ = false;    // For the retry.
  int failures_ = 0;        // In a row.
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TTRPC_EVENT_PUBLISHER_H_

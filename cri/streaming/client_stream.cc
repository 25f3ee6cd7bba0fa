#include "cri/streaming/client_stream.h"

#include <boost/asio/post.hpp>
#include <memory>

namespace crisp::cri {

void ClientStream::AsyncRead(ReadHandler handler) {
  if (buffer_.empty() && !ended_ && failure_.ok()) {
    reader_ = std::move(handler);
    return;
  }
  absl::StatusOr<std::string> data = std::exchange(buffer_, "");
  const bool made_room = !data->empty();
  if (data->empty() && !failure_.ok()) data = failure_;
  boost::asio::post(executor_, [handler = std::move(handler), data = std::move(data)]() mutable {
    handler(std::move(data));
  });
  if (made_room && on_room_) on_room_();
}

void ClientStream::Deliver(absl::string_view data) {
  if (ended_ || !failure_.ok() || data.empty()) return;
  buffer_.append(data.data(), data.size());
  Answer();
}

void ClientStream::DeliverEnd() {
  if (ended_ || !failure_.ok()) return;
  ended_ = true;
  Answer();
}

void ClientStream::Fail(const absl::Status& status) {
  if (!failure_.ok()) return;
  failure_ = status;
  buffer_.clear();
  on_room_ = nullptr;
  Answer();
}

void ClientStream::Answer() {
  if (!reader_) return;
  ReadHandler reader = std::exchange(reader_, nullptr);
  if (!failure_.ok()) {
    reader(failure_);
  } else {
    reader(std::exchange(buffer_, ""));
  }
}

}  // namespace crisp::cri

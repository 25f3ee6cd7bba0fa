#include "shim/io/fd_sink.h"

#include <unistd.h>

#include <cerrno>

namespace crisp::shim {

FdSink::~FdSink() { Close(); }

bool FdSink::Take(absl::string_view data) {
  if (closed()) return true;
  if (pending_.empty()) data = Write(data);
  if (data.empty() || closed()) return true;
  pending_.append(data.data(), data.size());
  if (watch_ == 0) {
    auto watch = loop_->Watch(fd_.get(), EPOLLOUT, [this](uint32_t) { OnWritable(); });
    if (!watch.ok()) {
      Close();
      return true;
    }
    watch_ = *watch;
  }
  return false;
}

void FdSink::End() {
  ended_ = true;
  if (pending_.empty()) Close();
}

absl::string_view FdSink::Write(absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd_.get(), data.data(), data.size());
    if (n > 0) {
      written_ += static_cast<uint64_t>(n);
      data.remove_prefix(static_cast<size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      return data;
    } else if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) {
      return {};  // Dropped: a full disk must not hold up the writer, and may have room again.
    } else {
      Close();
      return {};
    }
  }
  return data;
}

void FdSink::OnWritable() {
  const absl::string_view rest = Write(pending_);
  if (!closed() && !rest.empty()) {
    pending_.erase(0, pending_.size() - rest.size());
    return;
  }
  std::string().swap(pending_);
  loop_->Unwatch(watch_);
  watch_ = 0;
  if (ended_) Close();
  Resume();
}

void FdSink::Close() {
  loop_->Unwatch(watch_);
  watch_ = 0;
  std::string().swap(pending_);
  fd_.reset();
}

}  // namespace crisp::shim

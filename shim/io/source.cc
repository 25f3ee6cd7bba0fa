#include "shim/io/source.h"

#include <unistd.h>

#include <cerrno>

#include "base/status_macros.h"

namespace crisp::shim {
namespace {

// More than a pipe holds: who writes faster than this reads is not waited for.
constexpr size_t kMaxFinalBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> Source::Start(Loop* loop, UniqueFd fd, Sink* sink,
                                                      Loop::Function on_end) {
  std::unique_ptr<Source> source(new Source(loop, std::move(fd), sink, std::move(on_end)));
  CRISP_RETURN_IF_ERROR(source->WatchIt());
  sink->OnRoom([self = source.get()] { self->OnRoom(); });
  return source;
}

Source::~Source() {
  loop_->Unwatch(watch_);
  sink_->OnRoom(nullptr);
}

absl::Status Source::WatchIt() {
  CRISP_ASSIGN_OR_RETURN(watch_,
                         loop_->Watch(fd_.get(), EPOLLIN, [this](uint32_t) { OnReadable(); }));
  return absl::OkStatus();
}

void Source::OnReadable() {
  const absl::Span<char> buffer = loop_->scratch();
  const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // A terminal whose last process is gone answers EIO.
  if (n <= 0) return End();
  if (!sink_->Take(absl::string_view(buffer.data(), static_cast<size_t>(n)))) {
    // Not Rewatch with no events: a hang-up would be reported all the time.
    loop_->Unwatch(watch_);
    watch_ = 0;
  }
}

void Source::OnRoom() {
  if (!ended()) {
    if (watch_ == 0 && !WatchIt().ok()) End();
  } else if (on_end_ && sink_->flushed()) {
    std::exchange(on_end_, nullptr)();
  }
}

void Source::Pump() {
  const absl::Span<char> buffer = loop_->scratch();
  for (size_t total = 0; watch_ != 0 && total < kMaxFinalBytes;) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return End();
    total += static_cast<size_t>(n);
    if (!sink_->Take(absl::string_view(buffer.data(), static_cast<size_t>(n)))) {
      loop_->Unwatch(std::exchange(watch_, 0));
    }
  }
}

void Source::Finish() {
  if (ended()) return;
  const absl::Span<char> buffer = loop_->scratch();
  size_t total = 0;
  while (total < kMaxFinalBytes) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    total += static_cast<size_t>(n);
    (void)sink_->Take(absl::string_view(buffer.data(), static_cast<size_t>(n)));
  }
  End();
}

void Source::End() {
  loop_->Unwatch(watch_);
  watch_ = 0;
  fd_.reset();
  sink_->End();
  if (on_end_ && sink_->flushed()) std::exchange(on_end_, nullptr)();
}

}  // namespace crisp::shim

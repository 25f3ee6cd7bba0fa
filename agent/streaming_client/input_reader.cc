#include "agent/streaming_client/input_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace crisp::cli {
namespace {

constexpr size_t kChunk = 32 << 10;

}  // namespace

InputReader::InputReader(int fd, std::function<void(std::string chunk)> on_chunk)
    : fd_(fd),
      on_chunk_(std::move(on_chunk)),
      wake_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

InputReader::~InputReader() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

void InputReader::Next() {
  absl::MutexLock lock(&mutex_);
  wanted_ = true;
}

void InputReader::Run() {
  std::string buffer(kChunk, '\0');
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &InputReader::MayRead));
      if (stopped_) return;
      wanted_ = false;
    }
    ssize_t got = -1;
    while (got < 0) {
      pollfd waits[] = {{fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) break;
      if (waits[1].revents != 0) return;
      if (waits[0].revents == 0) continue;
      got = ::read(fd_, buffer.data(), buffer.size());
      if (got < 0 && errno != EINTR && errno != EAGAIN) break;
    }
    if (got <= 0) return on_chunk_("");
    on_chunk_(buffer.substr(0, static_cast<size_t>(got)));
  }
}

}  // namespace crisp::cli

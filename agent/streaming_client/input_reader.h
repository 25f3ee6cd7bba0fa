// Reads a descriptor on a thread of its own, one chunk at a time: the next is read when
// the last was taken. The descriptor's flags are left alone, and a thread that waits for
// a key can be ended.
//
// Ownership: borrows the descriptor.
// Threads:   `on_chunk` is called on the reader's thread; the others may be called from
//            any.
#ifndef CRISP_AGENT_STREAMING_CLIENT_INPUT_READER_H_
#define CRISP_AGENT_STREAMING_CLIENT_INPUT_READER_H_

#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"

namespace crisp::cli {

class InputReader {
 public:
  // An empty chunk is the end.
  InputReader(int fd, std::function<void(std::string chunk)> on_chunk);
  ~InputReader();
  InputReader(const InputReader&) = delete;
  InputReader& operator=(const InputReader&) = delete;

  // The last chunk was taken.
  void Next();

 private:
  void Run();
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || wanted_; }

  const int fd_;
  const std::function<void(std::string)> on_chunk_;
  UniqueFd wake_;  // An eventfd.
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool wanted_ ABSL_GUARDED_BY(mutex_) = true;
  std::thread thread_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_INPUT_READER_H_

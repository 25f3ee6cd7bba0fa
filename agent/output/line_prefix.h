// Lines of several writers on one stream: whole, each with its writer's prefix.
#ifndef CRISP_AGENT_OUTPUT_LINE_PREFIX_H_
#define CRISP_AGENT_OUTPUT_LINE_PREFIX_H_

#include <ostream>
#include <streambuf>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"

namespace crisp::cli {

// One writer. Ownership: borrows the stream and its lock. Threads: one a writer.
class LinePrefixBuffer : public std::streambuf {
 public:
  // `mutex` is held while `out` is written.
  LinePrefixBuffer(std::string prefix, std::ostream* out, absl::Mutex* mutex)
      : prefix_(std::move(prefix)), out_(out), mutex_(mutex) {}
  ~LinePrefixBuffer() override {
    if (!line_.empty()) Write(line_ + "\n");
  }

 protected:
  int_type overflow(int_type c) override {
    if (c == traits_type::eof()) return traits_type::not_eof(c);
    const char text = traits_type::to_char_type(c);
    return xsputn(&text, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    line_.append(text, static_cast<size_t>(size));
    // Whole lines go out; a very long one in pieces.
    constexpr size_t kMaxLine = 1 << 20;
    size_t end = line_.rfind('\n');
    if (end == std::string::npos && line_.size() > kMaxLine) end = line_.size() - 1;
    if (end == std::string::npos) return size;
    const bool good = Write(line_.substr(0, end + 1));
    line_.erase(0, end + 1);
    return good ? size : 0;
  }

 private:
  bool Write(const std::string& lines) {
    std::string text;
    for (size_t begin = 0, end; begin < lines.size(); begin = end) {
      end = lines.find('\n', begin);
      end = end == std::string::npos ? lines.size() : end + 1;
      text += prefix_;
      text.append(lines, begin, end - begin);
    }
    absl::MutexLock lock(mutex_);
    *out_ << text << std::flush;
    return out_->good();
  }

  const std::string prefix_;
  std::ostream* const out_;
  absl::Mutex* const mutex_;
  std::string line_;
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_LINE_PREFIX_H_

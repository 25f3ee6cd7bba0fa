// A terminal that passes every key on, until this is destroyed.
//
// Ownership: borrows the descriptor.
#ifndef CRISP_AGENT_STREAMING_CLIENT_RAW_TERMINAL_H_
#define CRISP_AGENT_STREAMING_CLIENT_RAW_TERMINAL_H_

#include <termios.h>

namespace crisp::cli {

class RawTerminal {
 public:
  // Does nothing for -1 or what is no terminal.
  explicit RawTerminal(int fd) : fd_(fd) {
    changed_ = fd >= 0 && ::tcgetattr(fd, &before_) == 0;
    if (!changed_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(fd, TCSADRAIN, &raw) == 0;
  }
  ~RawTerminal() {
    if (changed_) ::tcsetattr(fd_, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  const int fd_;
  bool changed_ = false;
  termios before_ = {};
};

}  // namespace crisp::cli

#endif  // CRISP_AGENT_STREAMING_CLIENT_RAW_TERMINAL_H_

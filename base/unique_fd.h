// A file descriptor with one owner.
//
// Ownership: owns at most one fd and closes it. A plain `int fd` elsewhere in
//            crisp is a borrow. Descriptors are made with O_CLOEXEC.
// Threads:   a value; no sharing without a lock of the caller's.
// Errors:    close() is never retried: on Linux the fd is gone even on EINTR
//            (close(2), NOTES).
#ifndef CRISP_BASE_UNIQUE_FD_H_
#define CRISP_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace crisp {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (int old = std::exchange(fd_, fd); old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace crisp

#endif  // CRISP_BASE_UNIQUE_FD_H_

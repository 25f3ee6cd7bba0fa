// As long as it lives no thread can be started in this process, as on a host that has
// reached its bound of processes.
#ifndef CRISP_BASE_NO_THREADS_H_
#define CRISP_BASE_NO_THREADS_H_

#include <gtest/gtest.h>
#include <pthread.h>

#include <cstddef>

namespace crisp {

class NoThreads {
 public:
  NoThreads() {
    EXPECT_EQ(::pthread_getattr_default_np(&before_), 0);
    pthread_attr_t huge;
    ::pthread_attr_init(&huge);
    // More than there are addresses: the C library answers EAGAIN.
    EXPECT_EQ(::pthread_attr_setstacksize(&huge, size_t{1} << 48), 0);
    EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
    ::pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    EXPECT_EQ(::pthread_setattr_default_np(&before_), 0);
    ::pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

}  // namespace crisp

#endif  // CRISP_BASE_NO_THREADS_H_

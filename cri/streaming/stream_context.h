// What the sessions of the streaming server share.
//
// Ownership: borrows everything; the server owns it and outlives the sessions.
// Threads:   constant.
#ifndef CRISP_CRI_STREAMING_STREAM_CONTEXT_H_
#define CRISP_CRI_STREAMING_STREAM_CONTEXT_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include "absl/time/time.h"
#include "base/background.h"

namespace crisp::cri {

struct StreamContext {
  boost::asio::any_io_executor executor;  // One thread: nothing on it waits.
  Background* blocking = nullptr;         // For what does: the driver, a pod's namespace.
  absl::Duration idle_timeout = absl::Hours(4);
  // For a client to open the streams that it asked for.
  absl::Duration creation_timeout = absl::Seconds(30);

  // Held by a job on a blocking thread that will post back: the executor stays.
  auto Work() const { return boost::asio::make_work_guard(executor); }
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_STREAM_CONTEXT_H_

// Where a stream's bytes go.
#ifndef CRISP_SHIM_IO_SINK_H_
#define CRISP_SHIM_IO_SINK_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"

namespace crisp::shim {

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes all of `data`, and keeps what it cannot pass on yet. False: the source waits
  // until it is resumed.
  virtual bool Take(absl::string_view data) = 0;

  // Nothing more will come. What was kept is still passed on.
  virtual void End() = 0;

  // Everything taken has been passed on, or never will be.
  virtual bool flushed() const { return true; }

  // Called once room has come again after a Take that answered false, and when `flushed`
  // has become true.
  void OnRoom(absl::AnyInvocable<void()> resume) { resume_ = std::move(resume); }

 protected:
  void Resume() {
    if (resume_) resume_();
  }

 private:
  absl::AnyInvocable<void()> resume_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_SINK_H_

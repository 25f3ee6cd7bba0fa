// A sink that keeps what it is given, up to a bound, and drops the rest.
#ifndef CRISP_SHIM_IO_CAPTURE_H_
#define CRISP_SHIM_IO_CAPTURE_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "shim/io/sink.h"

namespace crisp::shim {

class Capture : public Sink {
 public:
  explicit Capture(size_t max_bytes) : max_bytes_(max_bytes) {}

  bool Take(absl::string_view data) override {
    data_.append(data.data(), std::min(max_bytes_ - data_.size(), data.size()));
    return true;
  }
  void End() override {}

  std::string Data() { return std::move(data_); }

 private:
  const size_t max_bytes_;
  std::string data_;
};

}  // namespace crisp::shim

#endif  // CRISP_SHIM_IO_CAPTURE_H_

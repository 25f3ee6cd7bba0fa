// Terminal sizes from the resize stream: {"Width":80,"Height":24}, one after another,
// cut anywhere.
//
// Threads: a value.
// Errors:  text that is no size is passed over; what never ends is dropped at a bound.
#ifndef CRISP_CRI_STREAMING_RESIZE_PARSER_H_
#define CRISP_CRI_STREAMING_RESIZE_PARSER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace crisp::cri {

struct TerminalSize {
  uint16_t width = 0;
  uint16_t height = 0;
};

class ResizeParser {
 public:
  // The sizes that `bytes` complete; those with a zero are left out.
  std::vector<TerminalSize> Feed(absl::string_view bytes);

 private:
  std::string object_;  // One that has begun.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_STREAMING_RESIZE_PARSER_H_

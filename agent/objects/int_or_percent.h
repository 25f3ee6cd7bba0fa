// A number, or a share of one: maxSurge: 1, maxUnavailable: "25%".
#ifndef CRISP_AGENT_OBJECTS_INT_OR_PERCENT_H_
#define CRISP_AGENT_OBJECTS_INT_OR_PERCENT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "agent/store/object.h"

namespace crisp::agent {

struct IntOrPercent {
  int64_t value = 0;
  bool percent = false;

  // InvalidArgument says what it must be.
  static absl::StatusOr<IntOrPercent> Parse(const Json& json) {
    IntOrPercent out;
    if (json.is_number_integer()) {
      out.value = json.get<int64_t>();
    } else if (json.is_string()) {
      const std::string text = json.get<std::string>();
      absl::string_view digits = text;
      out.percent = absl::ConsumeSuffix(&digits, "%");
      if (!out.percent || !absl::SimpleAtoi(digits, &out.value)) {
        return absl::InvalidArgumentError(
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
            "'1%',  or '93%', regex used for validation is '[0-9]+%')");
      }
    } else {
      return absl::InvalidArgumentError("must be an integer or a percentage");
    }
    if (out.value < 0) return absl::InvalidArgumentError("must be greater than or equal to 0");
    return out;
  }

  int64_t Of(int64_t total, bool round_up) const {
    return percent ? (value * total + (round_up ? 99 : 0)) / 100 : value;
  }
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OBJECTS_INT_OR_PERCENT_H_

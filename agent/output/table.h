// Columns of text as kubectl prints them: three spaces apart, as wide as needed.
#ifndef CRISP_AGENT_OUTPUT_TABLE_H_
#define CRISP_AGENT_OUTPUT_TABLE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace crisp::agent {

// The first row is the head. No blanks at a line's end; control characters in a
// cell are escaped, so that no object's name can move the cursor.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// "45s", "3m20s", "5h", "2d3h", "400d": how long ago, with the precision that
// counts at that distance.
std::string FormatAge(absl::Duration age);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OUTPUT_TABLE_H_

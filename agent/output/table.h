// Columns of text as kubectl prints them: three spaces apart, as wide as needed.
#ifndef CRISP_AGENT_OUTPUT_TABLE_H_
#define CRISP_AGENT_OUTPUT_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace crisp::cli {

using Row = std::vector<std::string>;

// `text` with its control characters escaped.
std::string Printable(absl::string_view text);

// No blanks at a line's end; of a cell's text the first line; control characters
// are escaped, so that no object's name can move the cursor.
std::string FormatTable(const std::vector<Row>& rows);

// Rows that come one after another, as a watch brings them: columns stay as wide as
// they once were. Not safe for two threads.
class TableWriter {
 public:
  // The lines of `rows`, each with its newline.
  std::string Format(const std::vector<Row>& rows);

 private:
  std::vector<size_t> widths_;
};

// "45s", "3m20s", "5h", "2d3h", "400d": how long ago, with the precision that
// counts at that distance.
std::string FormatAge(absl::Duration age);

// Since `time`; "<unknown>" if that is InfinitePast.
std::string AgeSince(absl::Time time, absl::Time now);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_TABLE_H_

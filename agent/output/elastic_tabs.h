// Text with tabs to text with blanks: cells that stand below one another are as wide as
// the widest of them, as Go's tabwriter (and so kubectl's describe) aligns them.
#ifndef CRISP_AGENT_OUTPUT_ELASTIC_TABS_H_
#define CRISP_AGENT_OUTPUT_ELASTIC_TABS_H_

#include <string>

#include "absl/strings/string_view.h"

namespace crisp::cli {

// A column is a run of adjacent lines with a tab after that cell; what follows a line's
// last tab is in no column.
std::string ElasticTabs(absl::string_view text);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_ELASTIC_TABS_H_

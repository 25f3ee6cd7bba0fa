// Objects as the rows of kubectl's tables.
#ifndef CRISP_AGENT_OUTPUT_KIND_TABLE_H_
#define CRISP_AGENT_OUTPUT_KIND_TABLE_H_

#include <string>

#include "absl/time/time.h"
#include "agent/output/fields.h"
#include "agent/output/kinds.h"
#include "agent/output/table.h"

namespace crisp::cli {

struct TableOptions {
  bool wide = false;
  bool with_namespace = false;  // A first column.
  bool with_kind = false;       // "pod/web" in NAME.
  bool show_labels = false;     // A last column.
  absl::Time now;
};

Row TableHead(const KindInfo& kind, const TableOptions& options);
Row TableRow(const KindInfo& kind, const Json& object, const TableOptions& options);

// "10.85.0.7:80,10.85.0.8:80 + 2 more..."; `most` of them, 0: all.
std::string EndpointsText(const Json& endpoints, size_t most);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_KIND_TABLE_H_

// Lines of a description in kubectl's manner: indented by two blanks a level, cells
// separated by tabs, aligned at the end by ElasticTabs.
//
// Threads: one.
#ifndef CRISP_AGENT_OUTPUT_DESCRIBE_WRITER_H_
#define CRISP_AGENT_OUTPUT_DESCRIBE_WRITER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/output/fields.h"

namespace crisp::cli {

class DescribeWriter {
 public:
  // Cells with control characters are escaped.
  void Line(int level, const std::vector<std::string>& cells);
  // "Name:<tab>value".
  void Field(int level, absl::string_view name, absl::string_view value);
  // The same; nothing for an empty value.
  void FieldIf(int level, absl::string_view name, absl::string_view value);
  // One pair a line, the first beside the name; "<none>" for none.
  void Pairs(int level, absl::string_view name, const std::map<std::string, std::string>& pairs,
             absl::string_view between);
  // A head, dashes below it, rows.
  void Grid(int level, const std::vector<std::vector<std::string>>& rows);

  std::string Aligned() const;

 private:
  std::string text_;
};

// "Mon, 02 Jan 2006 15:04:05 +0000", in local time; empty for InfinitePast.
std::string LongTime(absl::Time time);

// Without what `apply` keeps for itself.
std::map<std::string, std::string> ShownAnnotations(const Json& object);
// Name, Namespace, Labels, Annotations.
void DescribeHead(const Json& object, DescribeWriter* out);
// "Deployment/web", of the owner that is the controller; empty if there is none.
std::string ControllerText(const Json& object);
// The section that ends most descriptions. `events` in their order.
void DescribeEvents(const std::vector<Json>& events, absl::Time now, DescribeWriter* out);

// Containers, volumes and what belongs to them, of a pod or of a template: `spec` with
// the statuses of `status`, which is null for a template.
void DescribeContainers(const Json& spec, const Json& status, int level, DescribeWriter* out);
void DescribeVolumes(const Json& spec, int level, DescribeWriter* out);

// Of the kinds that own pods.
void DescribePodTemplate(const Json& pod_template, DescribeWriter* out);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_DESCRIBE_WRITER_H_

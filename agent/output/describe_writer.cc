#include "agent/output/describe_writer.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/output/elastic_tabs.h"
#include "agent/output/table.h"

namespace crisp::cli {

void DescribeWriter::Line(int level, const std::vector<std::string>& cells) {
  absl::StrAppend(&text_, std::string(static_cast<size_t>(level) * 2, ' '));
  for (size_t i = 0; i < cells.size(); ++i) {
    absl::StrAppend(&text_, i == 0 ? "" : "\t", Printable(cells[i]));
  }
  text_ += '\n';
}

void DescribeWriter::Field(int level, absl::string_view name, absl::string_view value) {
  Line(level, {absl::StrCat(name, ":"), std::string(value)});
}

void DescribeWriter::FieldIf(int level, absl::string_view name, absl::string_view value) {
  if (!value.empty()) Field(level, name, value);
}

void DescribeWriter::Pairs(int level, absl::string_view name,
                           const std::map<std::string, std::string>& pairs,
                           absl::string_view between) {
  if (pairs.empty()) return Field(level, name, "<none>");
  bool first = true;
  for (const auto& [key, value] : pairs) {
    Line(level, {first ? absl::StrCat(name, ":") : "", absl::StrCat(key, between, value)});
    first = false;
  }
}

void DescribeWriter::Grid(int level, const std::vector<std::vector<std::string>>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    Line(level, rows[i]);
    if (i > 0) continue;
    std::vector<std::string> dashes;
    for (const std::string& cell : rows[0]) dashes.emplace_back(cell.size(), '-');
    Line(level, dashes);
  }
}

std::string DescribeWriter::Aligned() const { return ElasticTabs(text_); }

std::string LongTime(absl::Time time) {
  if (time == absl::InfinitePast()) return "";
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S %z", time, absl::LocalTimeZone());
}

std::map<std::string, std::string> ShownAnnotations(const Json& object) {
  auto annotations = TextMap(object, "metadata.annotations");
  annotations.erase("kubectl.kubernetes.io/last-applied-configuration");
  return annotations;
}

void DescribeHead(const Json& object, DescribeWriter* out) {
  out->Field(0, "Name", Name(object));
  out->FieldIf(0, "Namespace", Namespace(object));
  out->Pairs(0, "Labels", TextMap(object, "metadata.labels"), "=");
  out->Pairs(0, "Annotations", ShownAnnotations(object), ": ");
}

std::string ControllerText(const Json& object) {
  for (const Json& owner : Items(object, "metadata.ownerReferences")) {
    if (IsTrue(owner, "controller")) {
      return absl::StrCat(Text(owner, "kind"), "/", Text(owner, "name"));
    }
  }
  return "";
}

void DescribeEvents(const std::vector<Json>& events, absl::Time now, DescribeWriter* out) {
  if (events.empty()) return out->Field(0, "Events", "<none>");
  out->Line(0, {"Events:"});
  std::vector<std::vector<std::string>> rows = {{"Type", "Reason", "Age", "From", "Message"}};
  for (const Json& event : events) {
    const absl::Time first = TimeOf(event, "firstTimestamp");
    absl::Time last = TimeOf(event, "lastTimestamp");
    if (last == absl::InfinitePast()) last = TimeOf(event, "metadata.creationTimestamp");
    const int64_t count = Number(event, "count", 1);
    std::string age = AgeSince(last, now);
    if (count > 1) absl::StrAppend(&age, " (x", count, " over ", AgeSince(first, now), ")");
    rows.push_back({Text(event, "type"), Text(event, "reason"), age,
                    Text(event, "source.component"),
                    std::string(absl::StripAsciiWhitespace(Text(event, "message")))});
  }
  out->Grid(1, rows);
}

void DescribePodTemplate(const Json& pod_template, DescribeWriter* out) {
  out->Line(0, {"Pod Template:"});
  out->Pairs(1, "Labels", TextMap(pod_template, "metadata.labels"), "=");
  const auto annotations = TextMap(pod_template, "metadata.annotations");
  if (!annotations.empty()) out->Pairs(1, "Annotations", annotations, ": ");
  const Json& spec = Field(pod_template, "spec");
  out->FieldIf(1, "Service Account", Text(spec, "serviceAccountName"));
  DescribeContainers(spec, Json(), 1, out);
  DescribeVolumes(spec, 1, out);
  out->Pairs(1, "Node-Selectors", TextMap(spec, "nodeSelector"), "=");
}

}  // namespace crisp::cli

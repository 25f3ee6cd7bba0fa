#include "tests/perf/podbench/report.h"

#include "absl/strings/str_format.h"

namespace crisp::podbench {
namespace {

const std::vector<std::string>& InOrder() {
  static const auto* const operations = new std::vector<std::string>{
      "RunPodSandbox", "CreateContainer", "StartContainer", "pod start",        "ExecSync",
      "StopContainer", "RemoveContainer", "StopPodSandbox", "RemovePodSandbox", "pod end"};
  return *operations;
}

const Samples& Of(const Operations& operations, const std::string& name) {
  static const Samples* const none = new Samples();
  const auto found = operations.find(name);
  return found == operations.end() ? *none : found->second;
}

}  // namespace

void PrintLatency(const std::string& title, const std::vector<std::string>& names,
                  const std::vector<Operations>& results, std::ostream& out) {
  out << title << ", " << Of(results[0], "pod start").size() << " rounds, ms\n";
  out << absl::StrFormat("%-18s", "");
  for (size_t i = 0; i < names.size(); ++i) {
    out << absl::StrFormat("%16s p50 %8s", names[i], "p90");
    if (i > 0) out << absl::StrFormat("%10s", "ratio");
  }
  out << "\n";
  for (const std::string& operation : InOrder()) {
    if (Of(results[0], operation).size() == 0) continue;
    out << absl::StrFormat("%-18s", operation);
    for (size_t i = 0; i < names.size(); ++i) {
      const Samples& samples = Of(results[i], operation);
      out << absl::StrFormat("%20.2f %8.2f", samples.Percentile(50), samples.Percentile(90));
      if (i > 0) out << absl::StrFormat("%10.2f", MedianRatio(Of(results[0], operation), samples));
    }
    out << "\n";
  }
}

void PrintThroughput(int parallel, const std::vector<std::string>& names,
                     const std::vector<double>& rates, std::ostream& out) {
  out << "pod lives per second, " << parallel << " at a time\n";
  for (size_t i = 0; i < names.size(); ++i) {
    out << absl::StrFormat("%-18s%20.2f", names[i], rates[i]);
    if (i > 0) out << absl::StrFormat("    ratio %.2f", rates[0] / rates[i]);
    out << "\n";
  }
}

nlohmann::ordered_json LatencyJson(const std::vector<std::string>& names,
                                   const std::vector<Operations>& results) {
  nlohmann::ordered_json json;
  for (size_t i = 0; i < names.size(); ++i) {
    for (const auto& [operation, samples] : results[i]) {
      nlohmann::ordered_json& entry = json[names[i]][operation];
      entry["p50_ms"] = samples.Percentile(50);
      entry["p90_ms"] = samples.Percentile(90);
      entry["p99_ms"] = samples.Percentile(99);
      entry["samples_ms"] = samples.milliseconds();
      if (i > 0) entry["ratio"] = MedianRatio(Of(results[0], operation), samples);
    }
  }
  return json;
}

nlohmann::ordered_json ThroughputJson(int parallel, const std::vector<std::string>& names,
                                      const std::vector<double>& rates) {
  nlohmann::ordered_json json;
  json["parallel"] = parallel;
  for (size_t i = 0; i < names.size(); ++i) {
    json["lives_per_second"][names[i]] = rates[i];
    if (i > 0) json["ratio"][names[i]] = rates[0] / rates[i];
  }
  return json;
}

void PrintRows(const std::vector<std::string>& names, const std::vector<Row>& rows,
               std::ostream& out) {
  for (const Row& row : rows) {
    out << row.title << ", " << row.unit << "\n";
    for (size_t i = 0; i < names.size(); ++i) {
      out << absl::StrFormat("%-18s%20.2f", names[i], row.values[i]);
      if (i > 0) out << absl::StrFormat("    ratio %.3f", row.values[0] / row.values[i]);
      out << "\n";
    }
  }
}

nlohmann::ordered_json RowsJson(const std::vector<std::string>& names,
                                const std::vector<Row>& rows) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json entry = {
        {"title", row.title}, {"unit", row.unit}, {"lower_is_better", row.lower_is_better}};
    for (size_t i = 0; i < names.size(); ++i) entry["values"][names[i]] = row.values[i];
    json.push_back(std::move(entry));
  }
  return json;
}

}  // namespace crisp::podbench

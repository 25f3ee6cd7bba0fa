// What podbench found, as a table for people and as JSON for programs.
#ifndef CRISP_TESTS_PERF_PODBENCH_REPORT_H_
#define CRISP_TESTS_PERF_PODBENCH_REPORT_H_

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "tests/perf/podbench/bench.h"

namespace crisp::podbench {

// The first name is "ours": ratios are ours over each other one's, so below 1 ours
// is faster.
void PrintLatency(const std::string& title, const std::vector<std::string>& names,
                  const std::vector<Operations>& results, std::ostream& out);
void PrintThroughput(int parallel, const std::vector<std::string>& names,
                     const std::vector<double>& rates, std::ostream& out);

nlohmann::ordered_json LatencyJson(const std::vector<std::string>& names,
                                   const std::vector<Operations>& results);
nlohmann::ordered_json ThroughputJson(int parallel, const std::vector<std::string>& names,
                                      const std::vector<double>& rates);

// One row a kind of figure, one column a target. Ratios are ours over theirs.
struct Row {
  std::string title;
  std::string unit;
  std::vector<double> values;  // In the order of the names.
  bool lower_is_better = true;
};
void PrintRows(const std::vector<std::string>& names, const std::vector<Row>& rows,
               std::ostream& out);
nlohmann::ordered_json RowsJson(const std::vector<std::string>& names,
                                const std::vector<Row>& rows);

}  // namespace crisp::podbench

#endif  // CRISP_TESTS_PERF_PODBENCH_REPORT_H_

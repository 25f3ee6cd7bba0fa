// podbench: what the life of a pod costs on any number of CRI servers, measured in
// one interleaved run.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "tests/perf/podbench/bench.h"
#include "tests/perf/podbench/exits.h"
#include "tests/perf/podbench/idle_memory.h"
#include "tests/perf/podbench/lists.h"
#include "tests/perf/podbench/logs.h"
#include "tests/perf/podbench/report.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {
namespace {

constexpr absl::Duration kListDuration = absl::Seconds(5);

struct Settings {
  std::vector<std::string> targets;
  std::string image = "docker.io/library/busybox:latest";
  std::string network = "both";
  std::string json_path;
  std::string scratch;
  int rounds = 50;
  int warmup = 3;
  int parallel = 8;
  int lives = 40;
  int repeats = 3;
  int exits = 0;
  int idle_pods = 0;
  int log_megabytes = 0;
  int list_containers = 0;
};

absl::StatusOr<Targets> Connect(const Settings& settings, std::vector<std::string>* names) {
  Targets targets;
  for (const std::string& argument : settings.targets) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("want NAME=unix:///SOCKET[#HANDLER], got ", argument));
    }
    names->push_back(argument.substr(0, equals));
    const std::vector<std::string> address =
        absl::StrSplit(argument.substr(equals + 1), absl::MaxSplits('#', 1));
    targets.push_back(
        std::make_unique<Target>(names->back(), address[0], address.size() > 1 ? address[1] : ""));
    CRISP_RETURN_IF_ERROR(targets.back()->Prepare(settings.image));
  }
  return targets;
}

absl::Status MeasureLives(const Settings& settings, const Targets& targets,
                          const std::vector<std::string>& names, nlohmann::ordered_json* json) {
  PodOptions options{.image = settings.image};
  for (const bool host_network : {true, false}) {
    const std::string network = host_network ? "host" : "pod";
    if (settings.network != "both" && settings.network != network) continue;
    options.host_network = host_network;
    if (settings.rounds > 0) {
      CRISP_ASSIGN_OR_RETURN(const std::vector<Operations> results,
                             MeasureLatency(targets, options, settings.rounds, settings.warmup));
      PrintLatency(absl::StrCat(network, " network"), names, results, std::cout);
      std::cout << "\n";
      (*json)["latency"][network] = LatencyJson(names, results);
    }
    if (settings.lives > 0) {
      CRISP_ASSIGN_OR_RETURN(
          const std::vector<double> rates,
          MeasureThroughput(targets, options, settings.parallel, settings.lives, settings.repeats));
      PrintThroughput(settings.parallel, names, rates, std::cout);
      std::cout << "\n";
      (*json)["throughput"][network] = ThroughputJson(settings.parallel, names, rates);
    }
  }
  return absl::OkStatus();
}

// The exit, memory and log figures, on the host's network: the pod's plays no part.
absl::StatusOr<std::vector<Row>> MeasureRest(const Settings& settings, const Targets& targets) {
  const PodOptions options{.image = settings.image, .host_network = true};
  std::vector<Row> rows;
  if (settings.exits > 0) {
    CRISP_ASSIGN_OR_RETURN(const std::vector<Samples> exits,
                           MeasureExits(targets, options, settings.exits));
    Row row{.title = "end of a process to EXITED in ContainerStatus, p50", .unit = "ms"};
    for (const Samples& samples : exits) row.values.push_back(samples.Percentile(50));
    rows.push_back(std::move(row));
  }
  if (settings.idle_pods > 0) {
    Row idle{.title = absl::StrCat("PSS of shim and pause a pod, ", settings.idle_pods, " pods"),
             .unit = "MB"};
    Row execs{.title = "the same after ten execs in each pod", .unit = "MB"};
    Row daemon{.title = "PSS of the daemon with those pods", .unit = "MB"};
    for (const std::unique_ptr<Target>& target : targets) {
      CRISP_ASSIGN_OR_RETURN(
          const IdleMemory memory,
          MeasureIdleMemory(*target, options, settings.idle_pods, absl::Seconds(3)));
      idle.values.push_back(memory.pod_bytes / 1e6);
      execs.values.push_back(memory.pod_bytes_after_execs / 1e6);
      daemon.values.push_back(memory.daemon_bytes / 1e6);
    }
    rows.insert(rows.end(), {idle, execs, daemon});
  }
  if (settings.log_megabytes > 0) {
    Row cpu{.title = "container to log file, per CPU second of the runtime",
            .unit = "MB/s",
            .lower_is_better = false};
    Row wall{
        .title = "container to log file, by the clock", .unit = "MB/s", .lower_is_better = false};
    for (const std::unique_ptr<Target>& target : targets) {
      CRISP_ASSIGN_OR_RETURN(
          const LogThroughput logs,
          MeasureLogs(*target, options, settings.log_megabytes, settings.scratch));
      cpu.values.push_back(logs.bytes_per_cpu_second / 1e6);
      wall.values.push_back(logs.bytes_per_second / 1e6);
    }
    rows.insert(rows.end(), {cpu, wall});
  }
  if (settings.list_containers > 0) {
    std::map<std::string, Row> calls;
    Row memory{.title = absl::StrCat("RSS of the daemon a container, ", settings.list_containers,
                                     " containers"),
               .unit = "kB"};
    for (const std::unique_ptr<Target>& target : targets) {
      CRISP_ASSIGN_OR_RETURN(
          const ListFigures figures,
          MeasureLists(*target, options, settings.list_containers, kListDuration));
      memory.values.push_back(figures.bytes_per_container / 1e3);
      for (const auto& [call, rate] : figures.rates) {
        const std::string title =
            absl::StrCat(call, " with ", settings.list_containers, " containers, ",
                         kListConnections * kCallsPerConnection, " at a time");
        const std::string per_cpu = absl::StrCat(title, ", per CPU second of the daemon");
        for (const auto& [name, value] : {std::pair(title, rate.calls_per_second),
                                          std::pair(per_cpu, rate.calls_per_cpu_second)}) {
          Row& row = calls[name];
          row.title = name;
          row.unit = "calls/s";
          row.lower_is_better = false;
          row.values.push_back(value);
        }
      }
    }
    for (auto& [call, row] : calls) rows.push_back(std::move(row));
    rows.push_back(std::move(memory));
  }
  return rows;
}

absl::Status Run(const Settings& settings) {
  std::vector<std::string> names;
  CRISP_ASSIGN_OR_RETURN(const Targets targets, Connect(settings, &names));
  nlohmann::ordered_json json;
  CRISP_RETURN_IF_ERROR(MeasureLives(settings, targets, names, &json));
  CRISP_ASSIGN_OR_RETURN(const std::vector<Row> rows, MeasureRest(settings, targets));
  PrintRows(names, rows, std::cout);
  json["figures"] = RowsJson(names, rows);
  if (settings.json_path.empty()) return absl::OkStatus();
  std::ofstream file(settings.json_path);
  file << json.dump(1) << "\n";
  if (!file.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", settings.json_path));
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app(
      "podbench measures the life of a pod (RunPodSandbox to RemovePodSandbox) on CRI\n"
      "servers, interleaved round by round. Ratios are the first server's over each\n"
      "other's, so below 1 the first is faster.\n\n"
      "  podbench crisp=unix:///run/crisp/crisp.sock \\\n"
      "           containerd=unix:///run/containerd/containerd.sock\n");
  app.add_option("TARGET", settings.targets, "NAME=unix:///SOCKET[#HANDLER], the first one is ours")
      ->required();
  app.add_option("--image", settings.image, "Has /bin/sh, sleep and /bin/true; on every server")
      ->capture_default_str();
  app.add_option("--network", settings.network, "host, pod or both")
      ->check(CLI::IsMember({"host", "pod", "both"}))
      ->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Rounds of the latency measurement; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--warmup", settings.warmup, "Rounds before those that count")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--parallel", settings.parallel, "Pods at a time, for throughput")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--lives", settings.lives, "Pod lives of a throughput measurement; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--repeats", settings.repeats, "Throughput measurements; the median counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--exits", settings.exits, "Rounds of the exit measurement; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--idle-pods", settings.idle_pods, "Pods of the memory measurement; 0: none")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--log-megabytes", settings.log_megabytes,
                 "What a container writes for the log measurement; 0: none")
      ->check(CLI::Range(0, 4096))
      ->needs(app.add_option("--scratch", settings.scratch,
                             "An existing directory for the log measurement's files")
                  ->check(CLI::ExistingDirectory))
      ->capture_default_str();
  app.add_option("--list-containers", settings.list_containers,
                 "Containers of the list measurement; 0: none")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--json", settings.json_path, "Also write everything, each sample too, here");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(settings);
  if (status.ok()) return 0;
  std::cerr << "podbench: error: " << status.message() << "\n";
  return 1;
}

}  // namespace
}  // namespace crisp::podbench

int main(int argc, char** argv) { return crisp::podbench::Main(argc, argv); }

// podbench: what the life of a pod costs on any number of CRI servers, measured in
// one interleaved run.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/perf/podbench/bench.h"
#include "tests/perf/podbench/report.h"
#include "tests/perf/podbench/target.h"

namespace crisp::podbench {
namespace {

struct Settings {
  std::vector<std::string> targets;
  std::string image = "docker.io/library/busybox:latest";
  std::string network = "both";
  std::string runtime_handler;
  std::string json_path;
  int rounds = 50;
  int warmup = 3;
  int parallel = 8;
  int lives = 40;
  int repeats = 3;
};

absl::StatusOr<Targets> Connect(const Settings& settings, std::vector<std::string>* names) {
  Targets targets;
  for (const std::string& argument : settings.targets) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("want NAME=unix:///SOCKET, got ", argument));
    }
    names->push_back(argument.substr(0, equals));
    targets.push_back(std::make_unique<Target>(names->back(), argument.substr(equals + 1)));
    CRISP_RETURN_IF_ERROR(targets.back()->Prepare(settings.image));
  }
  return targets;
}

absl::Status Run(const Settings& settings) {
  std::vector<std::string> names;
  CRISP_ASSIGN_OR_RETURN(const Targets targets, Connect(settings, &names));
  nlohmann::ordered_json json;
  PodOptions options{.image = settings.image, .runtime_handler = settings.runtime_handler};
  for (const bool host_network : {true, false}) {
    const std::string network = host_network ? "host" : "pod";
    if (settings.network != "both" && settings.network != network) continue;
    options.host_network = host_network;
    if (settings.rounds > 0) {
      CRISP_ASSIGN_OR_RETURN(const std::vector<Operations> results,
                             MeasureLatency(targets, options, settings.rounds, settings.warmup));
      PrintLatency(absl::StrCat(network, " network"), names, results, std::cout);
      std::cout << "\n";
      json["latency"][network] = LatencyJson(names, results);
    }
    if (settings.lives > 0) {
      CRISP_ASSIGN_OR_RETURN(
          const std::vector<double> rates,
          MeasureThroughput(targets, options, settings.parallel, settings.lives, settings.repeats));
      PrintThroughput(settings.parallel, names, rates, std::cout);
      std::cout << "\n";
      json["throughput"][network] = ThroughputJson(settings.parallel, names, rates);
    }
  }
  if (settings.json_path.empty()) return absl::OkStatus();
  std::ofstream file(settings.json_path);
  file << json.dump(1) << "\n";
  if (!file.flush())
    return absl::UnavailableError(absl::StrCat("cannot write ", settings.json_path));
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
  app.add_option("TARGET", settings.targets, "NAME=unix:///SOCKET, the first one is ours")
      ->required();
  app.add_option("--image", settings.image, "Has /bin/sh, sleep and /bin/true; on every server")
      ->capture_default_str();
  app.add_option("--network", settings.network, "host, pod or both")
      ->check(CLI::IsMember({"host", "pod", "both"}))
      ->capture_default_str();
  app.add_option("--runtime-handler", settings.runtime_handler, "For every pod");
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

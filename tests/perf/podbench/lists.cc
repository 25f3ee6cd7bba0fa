#include "tests/perf/podbench/lists.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "tests/perf/podbench/pods.h"
#include "tests/perf/podbench/processes.h"
#include "tests/perf/podbench/raw_client.h"

namespace crisp::podbench {
namespace {

constexpr int kContainersPerPod = 10;

struct Question {
  std::string method;
  std::string request;  // Encoded.
};

absl::StatusOr<ListRate> Ask(Target& target, pid_t server, const Question& question,
                             absl::Duration duration) {
  const std::string path = absl::StrCat("/runtime.v1.RuntimeService/", question.method);
  std::vector<std::unique_ptr<RawClient>> clients(kListConnections);
  for (std::unique_ptr<RawClient>& client : clients) {
    CRISP_ASSIGN_OR_RETURN(client, RawClient::Connect(target.socket(), path));
    // The first call is the connection's and the cache's.
    CRISP_RETURN_IF_ERROR(client->Call(question.request, 1, absl::ZeroDuration()).status());
  }
  std::vector<absl::StatusOr<RawClient::Answers>> answers(clients.size());
  const Clock* clock = Clock::Real();
  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_before, CpuTime(server));
  const absl::Duration began = clock->Steady();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back(
        [&, i] { answers[i] = clients[i]->Call(question.request, kCallsPerConnection, duration); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = absl::ToDoubleSeconds(clock->Steady() - began);
  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_after, CpuTime(server));
  // The clock of CpuTime ticks a hundred times a second.
  const double cpu_seconds =
      absl::ToDoubleSeconds(std::max(cpu_after - cpu_before, absl::Milliseconds(10)));
  size_t calls = 0;
  size_t bytes = 0;
  for (const absl::StatusOr<RawClient::Answers>& of_one : answers) {
    CRISP_RETURN_IF_ERROR(Annotate(of_one.status(), target.name(), ": ", question.method));
    calls += of_one->calls;
    bytes = of_one->bytes;
  }
  return ListRate{.calls_per_second = static_cast<double>(calls) / seconds,
                  .calls_per_cpu_second = static_cast<double>(calls) / cpu_seconds,
                  .bytes = bytes};
}

}  // namespace

absl::StatusOr<ListFigures> MeasureLists(Target& target, const PodOptions& options, int containers,
                                         absl::Duration duration) {
  CRISP_ASSIGN_OR_RETURN(const pid_t server, target.ServerPid());
  CRISP_ASSIGN_OR_RETURN(const int64_t before, RssBytes(server));
  Pods pods(&target);
  for (int made = 0; made < containers;) {
    CRISP_RETURN_IF_ERROR(pods.Start(options));
    const int more = std::min(kContainersPerPod, containers - made);
    made += more;
    for (int i = 1; i < more; ++i) {
      CRISP_RETURN_IF_ERROR(target.AddContainer(pods.ids().back(), options, NextSerial()));
    }
  }
  runtime::v1::ContainerStatusRequest container;
  container.set_container_id(pods.ids().front().container);
  runtime::v1::PodSandboxStatusRequest pod;
  pod.set_pod_sandbox_id(pods.ids().front().pod);
  const Question questions[] = {{"ListContainers", ""},
                                {"ListPodSandbox", ""},
                                {"ContainerStatus", container.SerializeAsString()},
                                {"PodSandboxStatus", pod.SerializeAsString()},
                                {"Status", ""}};
  CRISP_ASSIGN_OR_RETURN(const int64_t after, RssBytes(server));
  ListFigures figures;
  figures.bytes_per_container = static_cast<double>(after - before) / containers;
  for (const Question& question : questions) {
    CRISP_ASSIGN_OR_RETURN(figures.rates[question.method], Ask(target, server, question, duration));
  }
  return figures;
}

}  // namespace crisp::podbench

#include "tests/perf/podbench/lists.h"

#include <algorithm>
#include <memory>
#include <utility>

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

absl::StatusOr<ListRate> Ask(Target& target, pid_t server, const Question& question, int parallel,
                             absl::Duration duration) {
  const std::string path = absl::StrCat("/runtime.v1.RuntimeService/", question.method);
  CRISP_ASSIGN_OR_RETURN(const std::unique_ptr<RawClient> client,
                         RawClient::Connect(target.socket()));
  // The first call is the connection's and the cache's.
  CRISP_RETURN_IF_ERROR(client->Call(path, question.request, 1, absl::ZeroDuration()).status());
  const Clock* clock = Clock::Real();
  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_before, CpuTime(server));
  const absl::Duration began = clock->Steady();
  const absl::StatusOr<RawClient::Answers> answers =
      client->Call(path, question.request, parallel, duration);
  CRISP_RETURN_IF_ERROR(Annotate(answers.status(), target.name(), ": ", question.method));
  const double seconds = absl::ToDoubleSeconds(clock->Steady() - began);
  CRISP_ASSIGN_OR_RETURN(const absl::Duration cpu_after, CpuTime(server));
  // The clock of CpuTime ticks a hundred times a second.
  const double cpu_seconds =
      absl::ToDoubleSeconds(std::max(cpu_after - cpu_before, absl::Milliseconds(10)));
  const auto calls = static_cast<double>(answers->calls);
  return ListRate{.calls_per_second = calls / seconds,
                  .calls_per_cpu_second = calls / cpu_seconds,
                  .bytes = answers->bytes};
}

}  // namespace

absl::StatusOr<ListFigures> MeasureLists(Target& target, const PodOptions& options, int containers,
                                         int parallel, absl::Duration duration) {
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
    CRISP_ASSIGN_OR_RETURN(figures.rates[question.method],
                           Ask(target, server, question, parallel, duration));
  }
  return figures;
}

}  // namespace crisp::podbench

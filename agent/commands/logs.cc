#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/commands/commands.h"
#include "agent/commands/pick_container.h"
#include "agent/log_reader.h"
#include "agent/pod_view.h"
#include "base/status_macros.h"

namespace crisp::agent {
namespace {

using runtime::v1::ContainerStatus;
using runtime::v1::RuntimeService;

// How often a followed container is asked whether it still runs.
constexpr absl::Duration kStatusInterval = absl::Milliseconds(500);

struct Flags {
  std::string pod;
  std::string container;
  std::string ns;
  std::string since;
  int64_t tail = -1;
  bool follow = false;
  bool timestamps = false;
  bool previous = false;
};

// Newest attempt first; with --previous the one before it.
absl::StatusOr<const ContainerStatus*> PickAttempt(const PodView& pod, const std::string& container,
                                                   bool previous) {
  int skip = previous ? 1 : 0;
  for (const ContainerStatus& status : pod.containers) {
    if (status.metadata().name() != container) continue;
    if (skip-- == 0) return &status;
  }
  if (previous) {
    return absl::NotFoundError(
        absl::StrCat("container ", container, " of pod ", pod.name(), " has not run before"));
  }
  return absl::NotFoundError(
      absl::StrCat("container ", container, " of pod ", pod.name(), " was not made yet"));
}

absl::Status Run(const Flags& flags, Session& session) {
  LogOptions options;
  options.follow = flags.follow;
  options.timestamps = flags.timestamps;
  if (flags.tail >= 0) options.tail = flags.tail;
  if (!flags.since.empty()) {
    absl::Duration since;
    if (!absl::ParseDuration(flags.since, &since) || since < absl::ZeroDuration()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--since \"", flags.since, "\" is not a duration such as 30s or 2h"));
    }
    options.since = session.clock->Now() - since;
  }
  CRISP_ASSIGN_OR_RETURN(const std::string name, PodNameArgument(flags.pod));
  CRISP_ASSIGN_OR_RETURN(const PodView pod, FindPod(session.node(), flags.ns, name));
  CRISP_ASSIGN_OR_RETURN(const std::string container, PickContainer(pod, flags.container, session));
  CRISP_ASSIGN_OR_RETURN(const ContainerStatus* status,
                         PickAttempt(pod, container, flags.previous));
  if (status->log_path().empty()) {
    return absl::NotFoundError(absl::StrCat("container ", container, " keeps no log"));
  }
  runtime::v1::ContainerStatusRequest request;
  request.set_container_id(status->id());
  absl::Duration asked = -absl::InfiniteDuration();
  const auto ended = [&] {
    const absl::Duration now = session.clock->Steady();
    if (now - asked < kStatusInterval) return false;
    asked = now;
    const auto reply = session.node().Runtime(&RuntimeService::Stub::ContainerStatus, request);
    // A container that is gone writes no more. A crispd that restarts does not end it.
    if (absl::IsNotFound(reply.status())) return true;
    return reply.ok() && reply->status().state() == runtime::v1::CONTAINER_EXITED;
  };
  return PrintLog(status->log_path(), options, ended, session.out);
}

}  // namespace

void AddLogs(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("logs", "Print a container's log");
  auto flags = std::make_shared<Flags>();
  verb->add_option("POD", flags->pod, "The pod's name")->required();
  verb->add_option("CONTAINER", flags->container, "The container; the pod's first by default");
  verb->add_option("-c,--container", flags->container, "The same, as an option")->type_name("NAME");
  verb->add_flag("-f,--follow", flags->follow, "Go on until the container ends");
  verb->add_option("--tail", flags->tail, "Only the last lines; -1: all")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 40))
      ->type_name("LINES");
  verb->add_option("--since", flags->since, "Only what is newer than this, such as 10m")
      ->type_name("DURATION");
  verb->add_flag("--timestamps", flags->timestamps, "Print when each line was written");
  verb->add_flag("-p,--previous", flags->previous, "The run of the container before this one");
  AddNamespaceOption(verb, &flags->ns);
  verb->footer(R"(Examples:
  crisp logs web
  crisp logs web -c sidecar --tail=20
  crisp logs -f web --timestamps)");
  verb->callback(
      [flags, action] { *action = [flags](Session& session) { return Run(*flags, session); }; });
}

}  // namespace crisp::agent

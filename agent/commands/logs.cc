#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "agent/commands/commands.h"
#include "agent/commands/readiness.h"
#include "agent/commands/session.h"
#include "agent/commands/targets.h"
#include "agent/log_reader.h"
#include "agent/output/fields.h"
#include "agent/output/line_prefix.h"
#include "base/status_macros.h"

namespace crisp::cli {
namespace {

// How often the agent is asked whether a followed container still runs.
constexpr absl::Duration kStatusInterval = absl::Milliseconds(500);
constexpr int64_t kTailOfMany = 10;  // With -l, as kubectl has it.

struct Flags {
  std::vector<std::string> words;
  std::string container, ns, since, since_time, selector;
  std::optional<int64_t> tail;
  int64_t max_log_requests = 5;
  bool follow = false, timestamps = false, previous = false, all_containers = false;
  bool prefix = false, ignore_errors = false;
};

// One container whose log is printed.
struct Source {
  std::string pod;
  ResolvedContainer container;
};

absl::StatusOr<agent::LogOptions> OptionsOf(const Flags& flags, Session& session) {
  agent::LogOptions options;
  options.follow = flags.follow;
  options.timestamps = flags.timestamps;
  if (flags.tail.has_value() && *flags.tail >= 0) options.tail = flags.tail;
  if (!flags.tail.has_value() && !flags.selector.empty()) options.tail = kTailOfMany;
  if (!flags.since.empty() && !flags.since_time.empty()) {
    return absl::InvalidArgumentError(
        "at most one of `sinceTime` or `sinceSeconds` may be specified");
  }
  if (!flags.since.empty()) {
    CRISP_ASSIGN_OR_RETURN(const absl::Duration since, ParseTimeout("--since", flags.since));
    if (since <= absl::ZeroDuration()) {
      return absl::InvalidArgumentError("--since must be greater than 0");
    }
    options.since = session.clock->Now() - since;
  }
  std::string error;
  if (!flags.since_time.empty() &&
      !absl::ParseTime(absl::RFC3339_full, flags.since_time, &options.since, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--since-time ", flags.since_time, " is not such as 2026-01-02T15:04:05Z"));
  }
  return options;
}

class Logs {
 public:
  Logs(const Flags& flags, Session& session)
      : flags_(flags), session_(session), ns_(Session::NamespaceOr(flags.ns)) {}

  absl::Status Run() {
    CRISP_ASSIGN_OR_RETURN(options_, OptionsOf(flags_, session_));
    CRISP_RETURN_IF_ERROR(FindSources());
    if (sources_.size() == 1 && !flags_.prefix) {
      const absl::Status printed = Print(sources_[0], session_.out);
      if (!flags_.ignore_errors) return printed;
      session_.Report(printed);
      session_.exit_code = 0;
      return absl::OkStatus();
    }
    if (flags_.follow) return FollowAll();
    absl::Mutex mutex;
    for (const Source& source : sources_) {
      CRISP_RETURN_IF_ERROR(PrintPrefixed(source, &mutex));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status AddPod(const std::string& pod, bool is_one_of_many) {
    if (!flags_.all_containers) {
      // Of several pods each prints its default container, without a note.
      absl::StatusOr<ResolvedPod> resolved = is_one_of_many
                                                 ? session_.agent().ResolvePod(ns_, pod, container_)
                                                 : PickContainer(session_, ns_, pod, container_);
      if (!resolved.ok()) return resolved.status();
      sources_.push_back({pod, std::move(resolved->container)});
      return absl::OkStatus();
    }
    CRISP_ASSIGN_OR_RETURN(ResolvedPod resolved, session_.agent().ResolvePod(ns_, pod));
    for (ResolvedContainer& container : resolved.containers) {
      sources_.push_back({pod, std::move(container)});
    }
    return absl::OkStatus();
  }

  absl::Status FindSources() {
    if (flags_.selector.empty() == flags_.words.empty()) {
      return absl::InvalidArgumentError(
          flags_.words.empty() ? "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'"
                               : "only a selector (-l) or a POD name is allowed");
    }
    if (flags_.words.size() > 2 || (flags_.words.size() == 2 && !flags_.container.empty())) {
      return absl::InvalidArgumentError("only one POD and one CONTAINER can be named");
    }
    container_ = flags_.words.size() == 2 ? flags_.words[1] : flags_.container;
    if (flags_.all_containers && !container_.empty()) {
      return absl::InvalidArgumentError(
          "--all-containers=true should not be specified with container name");
    }
    if (!flags_.words.empty()) {
      CRISP_ASSIGN_OR_RETURN(const std::string pod, PickPod(session_, ns_, flags_.words[0]));
      return AddPod(pod, false);
    }
    CRISP_ASSIGN_OR_RETURN(
        const ObjectList pods,
        session_.agent().List({.kind = "Pod", .ns = ns_, .labels = flags_.selector}));
    if (pods.objects.empty()) {
      session_.err << "No resources found in " << ns_ << " namespace." << std::endl;
    }
    for (const Json& pod : pods.objects) CRISP_RETURN_IF_ERROR(AddPod(Name(pod), true));
    if (flags_.follow && static_cast<int64_t>(sources_.size()) > flags_.max_log_requests) {
      return absl::InvalidArgumentError(
          absl::StrCat("you are attempting to follow ", sources_.size(),
                       " log streams, but maximum allowed concurrency is ", flags_.max_log_requests,
                       ", use --max-log-requests to increase the limit"));
    }
    return absl::OkStatus();
  }

  // Waits, when following, until a container that is on its way has begun.
  absl::StatusOr<ResolvedContainer> Begun(const Source& source) {
    ResolvedContainer container = source.container;
    std::optional<PodProgress> progress;
    // Several at once would draw over one another.
    if (container.id.empty() && sources_.size() == 1) progress.emplace(session_, ns_);
    while (container.id.empty()) {
      const std::string reason = container.waiting_reason;
      const bool on_its_way =
          reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
      if (!flags_.follow || !on_its_way) {
        return absl::FailedPreconditionError(absl::StrCat(
            "container \"", container.name, "\" in pod \"", source.pod,
            "\" is waiting to start: ", reason.empty() ? "ContainerCreating" : reason));
      }
      absl::SleepFor(kStatusInterval);
      CRISP_ASSIGN_OR_RETURN(const ResolvedPod now,
                             session_.agent().ResolvePod(ns_, source.pod, container.name));
      container = now.container;
    }
    return container;
  }

  absl::Status Print(const Source& source, std::ostream& out) {
    if (flags_.previous) {
      if (source.container.previous_log_path.empty()) {
        return absl::NotFoundError(absl::StrCat("previous terminated container \"",
                                                source.container.name, "\" in pod \"", source.pod,
                                                "\" not found"));
      }
      agent::LogOptions options = options_;
      options.follow = false;  // It has ended.
      return agent::PrintLog(
          source.container.previous_log_path, options, [] { return true; }, out);
    }
    CRISP_ASSIGN_OR_RETURN(const ResolvedContainer container, Begun(source));
    absl::Duration asked = -absl::InfiniteDuration();
    const auto ended = [&] {
      const absl::Duration now = session_.clock->Steady();
      if (now - asked < kStatusInterval) return false;
      asked = now;
      const auto pod = session_.agent().ResolvePod(ns_, source.pod, container.name);
      // A pod that is gone writes no more. An agent that restarts does not end it.
      if (absl::IsNotFound(pod.status())) return true;
      return pod.ok() && (pod->container.id != container.id || !pod->container.running);
    };
    return agent::PrintLog(container.log_path, options_, ended, out);
  }

  absl::Status PrintPrefixed(const Source& source, absl::Mutex* mutex) {
    LinePrefixBuffer buffer(
        flags_.prefix ? absl::StrCat("[pod/", source.pod, "/", source.container.name, "] ") : "",
        &session_.out, mutex);
    std::ostream out(&buffer);
    const absl::Status printed = Print(source, out);
    if (printed.ok() || !flags_.ignore_errors) return printed;
    absl::MutexLock lock(mutex);
    session_.err << "error: " << printed.message() << std::endl;
    return absl::OkStatus();
  }

  absl::Status FollowAll() {
    absl::Mutex mutex;
    std::vector<absl::Status> results(sources_.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < sources_.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = PrintPrefixed(sources_[i], &mutex); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& result : results) CRISP_RETURN_IF_ERROR(result);
    return absl::OkStatus();
  }

  const Flags& flags_;
  Session& session_;
  const std::string ns_;
  std::string container_;  // Empty: the pod's default.
  agent::LogOptions options_;
  std::vector<Source> sources_;
};

}  // namespace

void AddLogs(Verb& crisp) {
  auto flags = std::make_shared<Flags>();
  Verb verb = crisp.Add("logs", "Print what containers wrote");
  verb.Words("POD|TYPE/NAME [CONTAINER]", &flags->words, "A pod, or what owns pods");
  verb.Option("-c,--container", &flags->container, "The container; the pod's first by default",
              "NAME");
  verb.Switch("-f,--follow", &flags->follow, "Go on until the container ends");
  verb.Switch("-p,--previous", &flags->previous, "The run of the container before this one");
  verb.Option("--tail", &flags->tail, "Only the last lines; -1: all (with -l: 10)", "LINES");
  verb.Option("--since", &flags->since, "Only what is newer than this, such as 10m", "DURATION");
  verb.Option("--since-time", &flags->since_time, "Only what was written after this (RFC 3339)",
              "TIME");
  verb.Switch("--timestamps", &flags->timestamps, "When each line was written");
  verb.Switch("--all-containers", &flags->all_containers, "Of every container of the pod");
  verb.Switch("--prefix", &flags->prefix, "Begin each line with its pod and container");
  verb.Option("-l,--selector", &flags->selector, "Of the pods with these labels", "SELECTOR");
  verb.Option("--max-log-requests", &flags->max_log_requests,
              "How many -f -l may follow at once (5)", "N", 1);
  verb.Switch("--ignore-errors", &flags->ignore_errors, "Go on when one log cannot be read");
  verb.Namespace(&flags->ns);
  verb.Notes(
      R"(-f waits for a container that has not begun, and goes on over the rotation of the log.

Examples:
  crisp logs web
  crisp logs web -c sidecar --tail=20
  crisp logs -f deployment/shop --timestamps
  crisp logs -p web                         why did it end?
  crisp logs -l app=web --all-containers --prefix --since=1h)");
  verb.Runs([flags](Session& session) { return Logs(*flags, session).Run(); });
}

}  // namespace crisp::cli

#include "agent/static_pods/static_pods.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/objects/changes.h"
#include "agent/probes/http_get.h"
#include "base/dir_entries.h"
#include "base/file.h"
#include "base/log.h"
#include "base/safe_path.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::agent {
namespace {

constexpr size_t kMaxManifest = 4 << 20;
// Editors write, rename and remove in one breath: read once it is over.
constexpr absl::Duration kSettle = absl::Milliseconds(50);
constexpr absl::Duration kUrlTimeout = absl::Seconds(10);

bool IsManifest(const std::string& name) {
  return !absl::StartsWith(name, ".") &&
         (absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml") ||
          absl::EndsWith(name, ".json"));
}

std::string Annotation(const Json& object, const char* key) {
  const Json& annotations = At(object, "metadata.annotations");
  if (!annotations.is_object()) return "";
  const auto found = annotations.find(key);
  return found != annotations.end() && found->is_string() ? found->get<std::string>() : "";
}

void Drain(int fd) {
  char buffer[4096];
  while (::read(fd, buffer, sizeof(buffer)) > 0) {
  }
}

void Signal(int eventfd) {
  const uint64_t one = 1;
  // A counter that is full wakes just as well.
  (void)!::write(eventfd, &one, sizeof(one));
}

}  // namespace

StaticPods::StaticPods(ObjectStore* store, EventRecorder* events, Clock* clock,
                       StaticPodsOptions options)
    : store_(*store), events_(*events), clock_(*clock), options_(std::move(options)) {
  file_.name = kFileSource;
  http_.name = kHttpSource;
}

absl::Status StaticPods::Start() {
  for (Source* source : {&file_, &http_}) {
    CRISP_ASSIGN_OR_RETURN(
        source->wake, SysFd("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
  }
  if (!options_.directory.empty()) {
    CRISP_RETURN_IF_ERROR(
        Annotate(MakeDirs(options_.directory, 0700), "make ", options_.directory));
    CRISP_ASSIGN_OR_RETURN(
        inotify_, SysFd("inotify_init1", [] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }));
    CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("watch ", options_.directory), [&] {
      return ::inotify_add_watch(inotify_.get(), options_.directory.c_str(),
                                 IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                                     IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
    }));
  }
  subscription_ = store_.Subscribe("Pod", [this](const ObjectChange& change) {
    // A pod that is being replaced is gone: its successor may come.
    if (change.type != ObjectChange::Type::kDeleted) return;
    const std::string source = Annotation(*change.object, kConfigSource);
    for (Source* one : {&file_, &http_}) {
      if (source == one->name) Signal(one->wake.get());
    }
  });
  // A source that is there no more takes its pods along, so both run at least once.
  file_.thread = std::thread([this] { WatchDirectory(); });
  http_.thread = std::thread([this] { PollUrl(); });
  return absl::OkStatus();
}

void StaticPods::Stop() {
  if (stopping_.exchange(true)) return;
  subscription_.reset();
  for (Source* source : {&file_, &http_}) {
    if (!source->thread.joinable()) continue;
    Signal(source->wake.get());
    source->thread.join();
  }
}

// Returns when the source was woken or `fd` (-1: none) has input, or after `most`. False
// when all ends.
bool StaticPods::Waits(Source* source, int fd, absl::Duration most) {
  pollfd wait[] = {{source->wake.get(), POLLIN, 0}, {fd, POLLIN, 0}};
  const int ms = static_cast<int>(std::min<int64_t>(
      absl::ToInt64Milliseconds(absl::Ceil(most, absl::Milliseconds(1))), INT32_MAX));
  (void)::poll(wait, 2, ms);
  if (stopping_) return false;
  if (wait[1].revents != 0) absl::SleepFor(kSettle);
  Drain(source->wake.get());
  if (fd >= 0) Drain(fd);
  return !stopping_;
}

void StaticPods::WatchDirectory() {
  bool more = true;
  file_.listed = options_.directory.empty();
  while (more) {
    const bool read = options_.directory.empty() || ReadDirectory();
    const bool settled = Reconcile(&file_);
    const absl::Duration most = read && settled ? options_.directory_period : options_.retry;
    more = Waits(&file_, inotify_.get(), most);
  }
}

void StaticPods::PollUrl() {
  absl::Duration due = clock_.Steady();
  bool more = true;
  http_.listed = true;
  while (more) {
    if (!options_.url.empty() && clock_.Steady() >= due) {
      ReadUrl();
      due = clock_.Steady() + options_.url_period;
    }
    const bool settled = Reconcile(&http_);
    more = Waits(&http_, -1,
                 settled ? std::max(due - clock_.Steady(), absl::Milliseconds(1)) : options_.retry);
    if (options_.url.empty()) due = clock_.Steady() + options_.url_period;
  }
}

bool StaticPods::ReadDirectory() {
  const auto directory = OpenDir(options_.directory);
  const absl::StatusOr<std::vector<std::string>> names =
      directory.ok() ? DirEntries(directory->get()) : directory.status();
  if (!names.ok()) {
    // Nobody knows what is in it: what runs stays.
    LogWarn("the directory of static pods could not be read",
            {{"directory", options_.directory}, {"error", names.status()}});
    return false;
  }
  file_.listed = true;
  bool all = true;
  std::set<std::string> seen;
  for (const std::string& name : *names) {
    if (!IsManifest(name)) continue;
    const std::string path = JoinPath(options_.directory, name);
    const auto text = ReadFileAt(directory->get(), name, kMaxManifest);
    if (ErrnoOf(text.status()) == ENOENT) continue;  // It went since it was listed.
    seen.insert(path);
    if (text.ok()) {
      all = Take(&file_, path, *text) && all;
    } else {
      TellFailure(&file_.said[path], text.status().ToString(), Annotate(text.status(), path));
      all = false;
    }
  }
  for (auto it = file_.said.begin(); it != file_.said.end();) {
    it = seen.count(it->first) > 0 ? std::next(it) : file_.said.erase(it);
  }
  return all;
}

bool StaticPods::ReadUrl() {
  HttpGetRequest request;
  request.url = options_.url;
  request.headers = options_.url_headers;
  request.timeout = kUrlTimeout;
  request.max_body = kMaxManifest;
  request.may_truncate = false;
  request.check_certificates = true;
  const auto reply = HttpGet(request);
  absl::Status status = reply.status();
  if (status.ok() && (reply->status != 200 || reply->redirects_elsewhere)) {
    status = absl::UnavailableError(absl::StrCat("HTTP status ", reply->status));
  }
  if (!status.ok()) {
    TellFailure(&http_.said[options_.url], status.ToString(), Annotate(status, options_.url));
    return false;
  }
  return Take(&http_, options_.url, reply->body);
}

bool StaticPods::Take(Source* source, const std::string& where, const std::string& text) {
  Said& said = source->said[where];
  const std::string hash = Sha256Hex(text);
  if (hash == said.hash) return true;
  auto pods = ReadStaticPods(where, text, source->name, options_.node_name);
  if (!pods.ok()) {
    TellFailure(&said, hash, pods.status());
    return false;
  }
  said.hash = hash;
  said.failed_hash.clear();
  said.pods = *std::move(pods);
  for (const StaticPod& pod : said.pods) {
    if (pod.refused.ok()) continue;
    LogWarn("a static pod is refused", {{"where", where}, {"error", pod.refused}});
    events_.Record(pod.object, EventType::kWarning, "FailedValidation",
                   absl::StrCat("Error validating pod ", TextAt(pod.object, "metadata.name"), "_",
                                TextAt(pod.object, "metadata.namespace"), " from ", source->name,
                                ", ignoring: ", pod.refused.message()));
  }
  return true;
}

void StaticPods::TellFailure(Said* said, const std::string& hash, const absl::Status& status) {
  if (said->failed_hash == hash) return;
  said->failed_hash = hash;
  LogWarn("static pods could not be read", {{"error", status}});
  const Json node = {{"apiVersion", "v1"},
                     {"kind", "Node"},
                     {"metadata", {{"name", options_.node_name}, {"uid", options_.node_name}}}};
  events_.Record(node, EventType::kWarning, "FailedValidation",
                 absl::StrCat("Error reading static pods, ignoring: ", status.message()));
}

bool StaticPods::Reconcile(Source* source) {
  std::map<ObjectKey, const Json*> wanted;
  // A file that could never be read says nothing, and takes nothing away: unless it has
  // pods already, there are none of it to keep.
  for (const auto& [where, said] : source->said) {
    for (const StaticPod& pod : said.pods) {
      if (!pod.refused.ok()) continue;
      const bool first = wanted.emplace(KeyOf(pod.object), &pod.object).second;
      if (!first) {
        LogWarn("two static pods have one name; the first counts",
                {{"name", KeyOf(pod.object).name}, {"where", where}});
      }
    }
  }
  // What was unreadable from the start of this agent may well be what made a pod that
  // runs: with anything unread nothing is taken away.
  const bool all_known = std::all_of(source->said.begin(), source->said.end(),
                                     [](const auto& one) { return !one.second.hash.empty(); });
  bool settled = true;
  std::set<ObjectKey> there;
  for (const ObjectPtr& pod : store_.List("Pod")) {
    const ObjectKey key = KeyOf(*pod);
    const auto found = wanted.find(key);
    if (Annotation(*pod, kConfigSource) != source->name) {
      if (found == wanted.end()) continue;
      if (source->conflicts.insert(key).second) {
        LogWarn("a pod that is no static pod has the name of one",
                {{"name", key.name}, {"namespace", key.ns}});
      }
      there.insert(key);
      settled = false;
      continue;
    }
    there.insert(key);
    if (IsBeingDeleted(*pod)) {
      settled = settled && found == wanted.end();
      continue;
    }
    if (found == wanted.end()
            ? !all_known
            : Annotation(*found->second, kStaticHash) == Annotation(*pod, kStaticHash)) {
      continue;
    }
    int64_t grace = NumberAt(*pod, "spec.terminationGracePeriodSeconds", 30);
    if (grace < 0) grace = 1;  // As Kubernetes takes it.
    const auto marked = store_.Update(key, [&](Json& object) {
      if (UidOf(object) != UidOf(*pod)) return absl::AbortedError("another one by now");
      object["metadata"]["deletionTimestamp"] = Timestamp(clock_.Now() + absl::Seconds(grace));
      object["metadata"]["deletionGracePeriodSeconds"] = grace;
      return absl::OkStatus();
    });
    settled = settled && marked.ok() && found == wanted.end();
  }
  for (const auto& [key, object] : wanted) {
    if (there.count(key) > 0) continue;
    const auto created = store_.Create(*object);
    if (created.ok()) continue;
    LogWarn("a static pod could not be made", {{"name", key.name}, {"error", created.status()}});
    settled = false;
  }
  return settled;
}

}  // namespace crisp::agent

// A connection to containerd: one gRPC channel, its stubs, and what crisp must
// know about the daemon behind it (version, snapshotter, whether it runs a CRI
// plugin of its own).
//
// Ownership: owns the channel. Stubs are borrowed and live as long as this.
// Threads:   safe. The stubs are safe; a ClientContext is for one call. A thread of
//            its own brings the connection back when containerd does.
// Errors:    Unavailable while containerd is away: calls fail at once, so that
//            nothing hangs on a dead daemon, and about a second after it is back
//            they succeed. WaitReady is for those who want to wait.
// Crash:     holds no state that outlives it.
#ifndef CRISP_CRI_CONTAINERD_CONTAINERD_H_
#define CRISP_CRI_CONTAINERD_CONTAINERD_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "api/containerd/containers.grpc.pb.h"
#include "api/containerd/content.grpc.pb.h"
#include "api/containerd/diff.grpc.pb.h"
#include "api/containerd/events.grpc.pb.h"
#include "api/containerd/images.grpc.pb.h"
#include "api/containerd/introspection.grpc.pb.h"
#include "api/containerd/leases.grpc.pb.h"
#include "api/containerd/snapshots.grpc.pb.h"
#include "api/containerd/tasks.grpc.pb.h"
#include "api/containerd/version.grpc.pb.h"
#include "cri/containerd/grpc_status.h"

namespace crisp::cri {

class Containerd {
 public:
  using Content = containerd::services::content::v1::Content;
  using Images = containerd::services::images::v1::Images;
  using Snapshots = containerd::services::snapshots::v1::Snapshots;
  using Diff = containerd::services::diff::v1::Diff;
  using Leases = containerd::services::leases::v1::Leases;
  using Containers = containerd::services::containers::v1::Containers;
  using Tasks = containerd::services::tasks::v1::Tasks;
  using Events = containerd::services::events::v1::Events;
  using Introspection = containerd::services::introspection::v1::Introspection;
  using VersionService = containerd::services::version::v1::Version;
  using Plugin = containerd::services::introspection::v1::Plugin;

  // The time that a small call may take unless the caller says otherwise.
  static constexpr absl::Duration kDefaultTimeout = absl::Seconds(10);
  // containerd's own bound on a message, either way.
  static constexpr int kMaxMessageBytes = 16 << 20;

  // `socket`: absolute path, "unix:///path" too. Does not wait for containerd to
  // be there. InvalidArgument for a path that does not fit a socket address or a
  // namespace that is not an identifier.
  static absl::StatusOr<std::unique_ptr<Containerd>> Connect(const std::string& socket,
                                                             const std::string& ns);
  ~Containerd();
  Containerd(const Containerd&) = delete;
  Containerd& operator=(const Containerd&) = delete;

  // A context with the namespace, a deadline (none if `timeout` is infinite) and,
  // if not empty, the lease that shall hold what the call makes.
  std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout = kDefaultTimeout,
                                               const std::string& lease = "") const;

  Content::Stub& content() { return *content_; }
  Images::Stub& images() { return *images_; }
  Snapshots::Stub& snapshots() { return *snapshots_; }
  Diff::Stub& diff() { return *diff_; }
  Leases::Stub& leases() { return *leases_; }
  Containers::Stub& containers() { return *containers_; }
  Tasks::Stub& tasks() { return *tasks_; }
  Events::Stub& events() { return *events_; }
  Introspection::Stub& introspection() { return *introspection_; }
  VersionService::Stub& version() { return *version_; }

  const std::string& socket() const { return socket_; }
  const std::string& ns() const { return ns_; }

  // Waits until containerd answers a Version call. DeadlineExceeded says what the
  // last attempt said.
  absl::Status WaitReady(absl::Duration timeout);

  // As containerd reports it, "v1.7.2" or "1.6.20~ds1".
  absl::StatusOr<std::string> Version(absl::Duration timeout = kDefaultTimeout);

  // The version again, from memory: a thread asks every few seconds and as soon as a lost
  // connection is there again. Unavailable without a connection; otherwise what the last
  // answer, or the lack of one, said.
  absl::StatusOr<std::string> LastVersion();

  // FailedPrecondition if this containerd's version is not one that crisp works
  // with (see containerd_version.h); Unavailable if it does not answer.
  absl::Status CheckUsable();

  // Loaded and failed plugins that match any of containerd's `filters`; disabled
  // ones are absent.
  absl::StatusOr<std::vector<Plugin>> Plugins(const std::vector<std::string>& filters);

  // Chooses the snapshotter for this connection. Empty: overlayfs, or native where
  // overlayfs did not load. FailedPrecondition, with containerd's own reason, if
  // the one asked for is not there. Until this was called it is overlayfs.
  absl::Status UseSnapshotter(const std::string& name);
  std::string snapshotter() const;

  // The directory in which the chosen snapshotter keeps its data (ImageFsInfo).
  // Asks containerd once, then remembers.
  absl::StatusOr<std::string> SnapshotterRoot();

  // Whether this containerd runs its own CRI plugin. That plugin adopts every
  // image of namespace k8s.io and reloads containers from it.
  absl::StatusOr<bool> CriPluginEnabled();

  // The namespace that crisp shall use in this containerd: k8s.io where nothing
  // else claims it, else crisp. The caller then connects with it.
  absl::StatusOr<std::string> ChooseNamespace();

 private:
  Containerd(std::string socket, std::string ns, std::shared_ptr<grpc::Channel> channel);

  // Where the snapshotter `plugin` keeps its data; empty if that cannot be known.
  absl::StatusOr<std::string> RootOf(const Plugin& plugin);
  // Connects again whenever the connection is lost, and keeps the version up to date.
  void KeepConnected() ABSL_LOCKS_EXCLUDED(mu_);
  // Asks, unless it did so a moment ago; without a connection there is no asking.
  void RefreshVersion(bool connected, absl::Time* next);

  const std::string socket_;
  const std::string ns_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Content::Stub> content_;
  const std::unique_ptr<Images::Stub> images_;
  const std::unique_ptr<Snapshots::Stub> snapshots_;
  const std::unique_ptr<Diff::Stub> diff_;
  const std::unique_ptr<Leases::Stub> leases_;
  const std::unique_ptr<Containers::Stub> containers_;
  const std::unique_ptr<Tasks::Stub> tasks_;
  const std::unique_ptr<Events::Stub> events_;
  const std::unique_ptr<Introspection::Stub> introspection_;
  const std::unique_ptr<VersionService::Stub> version_;

  mutable absl::Mutex mu_;
  std::string snapshotter_ ABSL_GUARDED_BY(mu_) = "overlayfs";
  std::string snapshotter_root_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  absl::StatusOr<std::string> last_version_ ABSL_GUARDED_BY(mu_) =
      absl::UnavailableError("not asked yet");
  std::thread reconnector_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_CONTAINERD_H_

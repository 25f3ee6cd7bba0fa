// Containers for tests: a root filesystem of busybox, a spec to change, and one call
// from Begin to the exit code.
//
// Ownership: a TestBundle owns its directory and removes it.
// Threads:   single-threaded, as the launcher demands.
#ifndef CRISP_SHIM_LAUNCH_TEST_CONTAINER_H_
#define CRISP_SHIM_LAUNCH_TEST_CONTAINER_H_

#include <sys/types.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/launch.h"

namespace crisp::shim {

class TestBundle {
 public:
  TestBundle();
  ~TestBundle();
  TestBundle(const TestBundle&) = delete;
  TestBundle& operator=(const TestBundle&) = delete;

  const std::string& path() const { return path_; }
  std::string rootfs() const { return path_ + "/rootfs"; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  void MakeDir(const std::string& name) const;
  void WriteFile(const std::string& name, const std::string& text, mode_t mode = 0644) const;

  // A spec as a CRI server would write it; `script` runs in /bin/sh.
  nlohmann::json Spec(const std::string& script) const;

 private:
  std::string path_;
};

// One namespace of the spec's list: replaced, with `path`, or removed.
void JoinNamespaceIn(nlohmann::json* spec, const std::string& type, const std::string& path);
void RemoveNamespaceFrom(nlohmann::json* spec, const std::string& type);

// A running or finished container, or a process beside one.
class TestProcess {
 public:
  static absl::StatusOr<std::unique_ptr<TestProcess>> Create(ContainerLaunch request);
  static absl::StatusOr<std::unique_ptr<TestProcess>> Exec(ExecLaunch request);
  ~TestProcess();  // Kills, reaps, and tears down.

  absl::Status Start();
  // To its end: 128 and the signal for one that was killed.
  int Wait();
  void Kill();
  // What it wrote, to its end.
  std::string Output();
  // What is there of it next; empty at its end.
  std::string Read();

  pid_t pid() const { return launch_->pid(); }
  Launch& launch() { return *launch_; }
  const ContainerFacts& facts() const { return launch_->facts(); }
  UniqueFd& console() { return console_; }

 private:
  TestProcess() = default;
  template <typename R>
  static absl::StatusOr<std::unique_ptr<TestProcess>> Begin(R request, bool container);
  absl::Status Until(Launch::Stage stage);

  std::unique_ptr<Launch> launch_;
  std::string bundle_;
  bool container_ = false;
  bool reaped_ = false;
  bool finished_ = false;
  UniqueFd out_;
  UniqueFd console_;
};

struct RunResult {
  absl::Status status;  // Of the launch.
  int exit_code = -1;
  std::string out;  // stdout and stderr.
};

ContainerLaunch RequestFor(const TestBundle& bundle, const nlohmann::json& spec);
RunResult RunToEnd(ContainerLaunch request);
RunResult RunToEnd(const TestBundle& bundle, const nlohmann::json& spec);

// An exec of a script in a container with the spec's process settings.
ExecLaunch ExecFor(const TestProcess& container, const nlohmann::json& spec,
                   const std::string& script);
RunResult RunToEnd(ExecLaunch request);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_TEST_CONTAINER_H_

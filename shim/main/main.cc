// containerd-shim-crisp-v1: runs containers for containerd or crispd.
//
//   start    containerd: the shim for the bundle in the working directory
//   delete   containerd: what is left of a container
//   serve    crispd: the shim of a pod (daemon.h)
//   -info    what this runtime can do
//   -v       its version
//
// Without an action it is the daemon that `start` left behind.
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/version.h"
#include "shim/launch/self_image.h"
#include "shim/main/daemon.h"
#include "shim/main/delete.h"
#include "shim/main/info.h"
#include "shim/main/options.h"
#include "shim/main/start.h"

namespace crisp::shim {
namespace {

constexpr int kListenerFd = 3;

int Fail(const absl::Status& status) {
  (void)WriteAll(STDERR_FILENO, absl::StrCat("containerd-shim-crisp-v1: ", status.message(), "\n"));
  return 1;
}

int Answer(const absl::StatusOr<std::string>& answer) {
  if (!answer.ok()) return Fail(answer.status());
  const absl::Status written = WriteAll(STDOUT_FILENO, *answer);
  return written.ok() ? 0 : Fail(written);
}

int Main(char** argv, const std::vector<std::string>& args) {
  const auto options = ParseOptions(args);
  if (!options.ok()) return Fail(options.status());
  if (options->version) {
    return Answer(absl::StrCat("containerd-shim-crisp-v1 ", kCrispVersion, "\n"));
  }
  if (options->info) return Answer(Info().SerializeAsString());
  if (options->action == "start") return Answer(Start(*options));
  if (options->action == "delete") {
    const auto deleted = Delete(*options);
    return deleted.ok() ? Answer(deleted->SerializeAsString()) : Fail(deleted.status());
  }
  if (options->action == "serve") {
    if (options->id.empty() || options->state.empty() || options->socket_fd < 0) {
      return Fail(absl::InvalidArgumentError("serve needs -id, -state and -socket-fd"));
    }
    absl::Status ended = RunFromReadonlyMount(argv);
    if (ended.ok()) ended = EnableFailpoints(std::getenv("CRISP_FAILPOINTS"));
    if (ended.ok()) ended = RunDaemon(*options, options->socket_fd);
    return ended.ok() ? 0 : Fail(ended);
  }
  if (options->action.empty() && !options->id.empty()) {
    if (!RunFromReadonlyMount(argv).ok()) return 1;
    return RunDaemon(*options, kListenerFd).ok() ? 0 : 1;
  }
  return Fail(absl::InvalidArgumentError(options->action.empty()
                                             ? "want start, delete, serve, -info or -v"
                                             : absl::StrCat("unknown action ", options->action)));
}

}  // namespace
}  // namespace crisp::shim

int main(int argc, char** argv) {
  return crisp::shim::Main(argv, std::vector<std::string>(argv + 1, argv + argc));
}

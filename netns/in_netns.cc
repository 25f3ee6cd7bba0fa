#include "netns/in_netns.h"

#include <fcntl.h>
#include <sched.h>

#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"

namespace crisp::netns {

absl::Status RunOnThread(const std::function<absl::Status()>& body) {
  absl::Status status;
  try {
    std::thread thread([&] { status = body(); });
    thread.join();
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "start a thread");
  }
  return status;
}

absl::Status RunInNetNs(int netns_fd, const std::function<absl::Status()>& body) {
  return RunOnThread([&]() -> absl::Status {
    CRISP_RETURN_IF_ERROR(
        Sys("enter network namespace", [&] { return ::setns(netns_fd, CLONE_NEWNET); }));
    return body();
  });
}

absl::Status RunInNetNs(const std::string& path, const std::function<absl::Status()>& body) {
  CRISP_ASSIGN_OR_RETURN(UniqueFd fd, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
                         }));
  return Annotate(RunInNetNs(fd.get(), body), path);
}

}  // namespace crisp::netns

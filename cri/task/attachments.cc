#include "cri/task/attachments.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::cri {
namespace {

// How far a reader may be behind. The kernel gives out pages as they are filled.
constexpr int kPipeBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<Attachment>> Attachment::Make(const SessionStreams& streams) {
  std::shared_ptr<Attachment> attachment(new Attachment);
  const bool wanted[] = {streams.stdout, streams.stderr};
  absl::MutexLock lock(&attachment->mu_);
  for (size_t i = 0; i < 2; ++i) {
    if (!wanted[i]) continue;
    int ends[2];
    CRISP_RETURN_IF_ERROR(Sys("pipe", [&] { return ::pipe2(ends, O_CLOEXEC | O_NONBLOCK); }));
    attachment->ends_[i].reset(ends[0]);
    attachment->pipes_[i].reset(ends[1]);
    // Where the host's bound on pipes is used up it keeps its 64 KiB.
    (void)::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  }
  return attachment;
}

void Attachment::Write(LogStream stream, absl::string_view data) {
  absl::MutexLock lock(&mu_);
  UniqueFd& pipe = pipes_[Index(stream)];
  while (pipe.ok() && !data.empty()) {
    const ssize_t n = ::write(pipe.get(), data.data(), data.size());
    if (n >= 0) {
      data.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      // Half an output is worse than none: both streams end here.
      fell_behind_ = true;
      for (UniqueFd& each : pipes_) each.reset();
    } else if (errno != EINTR) {
      pipe.reset();
    }
  }
}

void Attachment::End(LogStream stream) {
  absl::MutexLock lock(&mu_);
  pipes_[Index(stream)].reset();
}

void Attachment::Close() {
  absl::MutexLock lock(&mu_);
  for (UniqueFd& pipe : pipes_) pipe.reset();
}

void Attachments::Add(const std::shared_ptr<Attachment>& attachment) {
  absl::MutexLock lock(&mu_);
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    if (ended_[stream == LogStream::kStdout ? 0 : 1]) attachment->End(stream);
  }
  std::vector<std::weak_ptr<Attachment>> living;
  for (std::weak_ptr<Attachment>& each : all_) {
    if (!each.expired()) living.push_back(std::move(each));
  }
  living.push_back(attachment);
  all_.swap(living);
}

void Attachments::Write(LogStream stream, absl::string_view data) {
  for (const auto& attachment : Living()) attachment->Write(stream, data);
}

void Attachments::End(LogStream stream) {
  {
    absl::MutexLock lock(&mu_);
    ended_[stream == LogStream::kStdout ? 0 : 1] = true;
  }
  for (const auto& attachment : Living()) attachment->End(stream);
}

void Attachments::Exit(const absl::StatusOr<int>& exit_code) {
  for (const auto& attachment : Living()) attachment->notice().Tell(exit_code);
}

std::vector<std::shared_ptr<Attachment>> Attachments::Living() {
  std::vector<std::shared_ptr<Attachment>> living;
  absl::MutexLock lock(&mu_);
  for (const std::weak_ptr<Attachment>& each : all_) {
    if (std::shared_ptr<Attachment> attachment = each.lock()) {
      living.push_back(std::move(attachment));
    }
  }
  return living;
}

}  // namespace crisp::cri

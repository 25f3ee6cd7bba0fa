#include "shim/io/container_log.h"

#include <fcntl.h>

#include <algorithm>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "shim/log/log.h"

namespace crisp::shim {

ContainerLog::Reader::~Reader() {
  loop->Unwatch(watch);
  loop->Cancel(stalled);
}

class ContainerLog::Stream : public Sink {
 public:
  Stream(Loop* loop, LogFile* file, LogStream stream) : loop_(loop), file_(file), stream_(stream) {}
  ~Stream() override { loop_->Cancel(sweep_); }

  bool Take(absl::string_view data) override {
    if (file_ != nullptr) file_->Write(stream_, data);
    bool room = true;
    for (const auto& reader : readers_) {
      if (reader->sink.closed() || reader->sink.Take(data)) continue;
      room = false;
      Time(reader.get());
    }
    return room;
  }

  void End() override {
    if (file_ != nullptr) file_->Finish(stream_);
    for (const auto& reader : readers_) {
      // The last write end must go, or the reader never sees the end.
      loop_->Unwatch(std::exchange(reader->watch, 0));
      reader->alarm.reset();
      reader->sink.End();
    }
  }

  bool flushed() const override {
    return std::all_of(readers_.begin(), readers_.end(), [](const auto& reader) {
      return reader->sink.closed() || reader->sink.flushed();
    });
  }

  absl::Status Attach(UniqueFd fifo) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd alarm,
                           SysFd("dup", [&] { return ::fcntl(fifo.get(), F_DUPFD_CLOEXEC, 0); }));
    auto reader = std::make_unique<Reader>(loop_, std::move(fifo));
    reader->alarm = std::move(alarm);
    Reader* const raw = reader.get();
    // Without events: only that there is no reader any more (EPOLLERR).
    CRISP_ASSIGN_OR_RETURN(raw->watch,
                           loop_->Watch(raw->alarm.get(), 0, [this, raw](uint32_t) { Drop(raw); }));
    raw->sink.OnRoom([this, raw] {
      if (raw->sink.flushed()) loop_->Cancel(std::exchange(raw->stalled, 0));
      if (flushed()) Resume();
    });
    readers_.push_back(std::move(reader));
    return absl::OkStatus();
  }

 private:
  // The reader has room for nothing: watches whether it takes anything.
  void Time(Reader* reader) {
    if (reader->stalled != 0) return;
    reader->written = reader->sink.written();
    reader->stalled = loop_->After(kMaxStall, [this, reader] {
      reader->stalled = 0;
      if (reader->sink.closed() || reader->sink.flushed()) return;
      if (reader->sink.written() != reader->written) return Time(reader);
      LogInfo("an attached reader takes nothing and is dropped");
      Drop(reader);
    });
  }

  void Drop(Reader* reader) {
    const auto found = std::find_if(readers_.begin(), readers_.end(),
                                    [&](const auto& each) { return each.get() == reader; });
    if (found == readers_.end()) return;
    // Destroyed later: its own handler may be what calls.
    loop_->Unwatch(std::exchange(reader->watch, 0));
    loop_->Cancel(std::exchange(reader->stalled, 0));
    dropped_.push_back(std::move(*found));
    readers_.erase(found);
    if (sweep_ == 0) {
      sweep_ = loop_->After(absl::ZeroDuration(), [this] {
        sweep_ = 0;
        dropped_.clear();
        if (flushed()) Resume();
      });
    }
  }

  Loop* const loop_;
  LogFile* const file_;  // May be null.
  const LogStream stream_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::unique_ptr<Reader>> dropped_;
  Loop::Id sweep_ = 0;
};

absl::StatusOr<std::unique_ptr<ContainerLog>> ContainerLog::Open(Loop* loop,
                                                                 const std::string& directory,
                                                                 const std::string& path) {
  std::unique_ptr<LogFile> file;
  if (!directory.empty() && !path.empty()) {
    auto report = [path](int error, uint64_t dropped) {
      if (error != 0) {
        LogWarn("container log cannot be written: records are dropped",
                {{"log", path}, {"error", ErrnoName(error)}});
      } else {
        LogInfo("container log is written again", {{"log", path}, {"dropped_records", dropped}});
      }
    };
    CRISP_ASSIGN_OR_RETURN(file, LogFile::Open(directory, path, Clock::Real(), std::move(report)));
  }
  return std::unique_ptr<ContainerLog>(new ContainerLog(loop, std::move(file)));
}

ContainerLog::ContainerLog(Loop* loop, std::unique_ptr<LogFile> file)
    : loop_(loop), file_(std::move(file)) {
  for (const LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    streams_[static_cast<size_t>(stream)] = std::make_unique<Stream>(loop, file_.get(), stream);
  }
}

ContainerLog::~ContainerLog() = default;

Sink* ContainerLog::sink(LogStream stream) { return streams_[static_cast<size_t>(stream)].get(); }

absl::Status ContainerLog::Attach(LogStream stream, UniqueFd fifo) {
  return streams_[static_cast<size_t>(stream)]->Attach(std::move(fifo));
}

absl::Status ContainerLog::Reopen() {
  return file_ == nullptr ? absl::OkStatus() : file_->Reopen();
}

}  // namespace crisp::shim

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
  Stream(ContainerLog* log, LogStream stream)
      : log_(log), loop_(log->loop_), file_(log->file_.get()), stream_(stream) {}
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
      if (reader->sink.closed()) CountOut(reader.get());
    }
  }

  bool flushed() const override {
    return std::all_of(readers_.begin(), readers_.end(), [](const auto& reader) {
      return reader->sink.closed() || reader->sink.flushed();
    });
  }

  absl::Status Attach(UniqueFd fifo, const std::string& name) {
    CRISP_ASSIGN_OR_RETURN(UniqueFd alarm,
                           SysFd("dup", [&] { return ::fcntl(fifo.get(), F_DUPFD_CLOEXEC, 0); }));
    auto reader = std::make_unique<Reader>(loop_, std::move(fifo), name);
    reader->alarm = std::move(alarm);
    Reader* const raw = reader.get();
    // Without events: only that there is no reader any more (EPOLLERR).
    CRISP_ASSIGN_OR_RETURN(raw->watch,
                           loop_->Watch(raw->alarm.get(), 0, [this, raw](uint32_t) { Drop(raw); }));
    raw->sink.OnRoom([this, raw] {
      if (raw->sink.flushed()) loop_->Cancel(std::exchange(raw->stalled, 0));
      if (raw->sink.closed()) CountOut(raw);
      if (flushed()) Resume();
    });
    readers_.push_back(std::move(reader));
    ++log_->clients_[name].readers;
    return absl::OkStatus();
  }

  void DropAll(const std::string& name) {
    std::vector<Reader*> named;
    for (const auto& reader : readers_) {
      if (reader->name == name) named.push_back(reader.get());
    }
    for (Reader* const reader : named) Drop(reader);
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
      log_->FellBehind(std::string(reader->name));
    });
  }

  void CountOut(Reader* reader) {
    if (!std::exchange(reader->detached, true)) log_->Detach(reader->name);
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
    CountOut(reader);
    if (sweep_ == 0) {
      sweep_ = loop_->After(absl::ZeroDuration(), [this] {
        sweep_ = 0;
        dropped_.clear();
        if (flushed()) Resume();
      });
    }
  }

  ContainerLog* const log_;
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
    streams_[static_cast<size_t>(stream)] = std::make_unique<Stream>(this, stream);
  }
}

ContainerLog::~ContainerLog() = default;

Sink* ContainerLog::sink(LogStream stream) { return streams_[static_cast<size_t>(stream)].get(); }

absl::Status ContainerLog::Attach(LogStream stream, UniqueFd fifo, const std::string& name) {
  return streams_[static_cast<size_t>(stream)]->Attach(std::move(fifo), name);
}

void ContainerLog::OnDetached(const std::string& name, Detached detached) {
  const auto found = clients_.find(name);
  if (found == clients_.end()) return detached(false);
  found->second.waiters.push_back(std::move(detached));
  if (found->second.readers == 0) Detach(name);
}

// With the last reader its client is forgotten, unless it was dropped and nobody has been
// told so far.
void ContainerLog::Detach(const std::string& name) {
  const auto found = clients_.find(name);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (client.readers > 0 && --client.readers > 0) return;
  if (client.fell_behind && client.waiters.empty()) return;
  Client gone = std::move(client);
  clients_.erase(found);
  for (Detached& waiter : gone.waiters) waiter(gone.fell_behind);
}

void ContainerLog::FellBehind(const std::string& name) {
  const auto found = clients_.find(name);
  if (found != clients_.end()) found->second.fell_behind = true;
  for (const auto& stream : streams_) stream->DropAll(name);
}

absl::Status ContainerLog::Reopen() {
  return file_ == nullptr ? absl::OkStatus() : file_->Reopen();
}

}  // namespace crisp::shim

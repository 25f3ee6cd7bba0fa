#include "netns/builtin/reservations.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/safe_path.h"
#include "base/status_macros.h"
#include "base/sys.h"

namespace crisp::netns {
namespace {

using nlohmann::json;

constexpr char kLockFile[] = "lock";
constexpr char kEnding[] = ".json";
constexpr size_t kMaxFile = 1 << 20;

std::string PathOf(const std::string& dir, const std::string& sandbox_id) {
  return JoinPath(dir, absl::StrCat(sandbox_id, kEnding));
}

std::string Serialise(const Reservation& reservation) {
  json ports = json::array();
  for (const PortMapping& port : reservation.ports) {
    ports.push_back({{"protocol", port.protocol},
                     {"containerPort", port.container_port},
                     {"hostPort", port.host_port},
                     {"hostIP", port.host_ip}});
  }
  const json file = {{"pod", reservation.pod},
                     {"ip", reservation.ip.ToString()},
                     {"link", reservation.link},
                     {"ports", ports}};
  return file.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The files are ours alone, so any surprise means that this one is damaged.
absl::StatusOr<Reservation> Deserialise(const std::string& sandbox_id, const std::string& text) {
  Reservation reservation;
  reservation.sandbox_id = sandbox_id;
  try {
    const json file = json::parse(text);
    reservation.pod = file.at("pod").get<std::string>();
    reservation.link = file.at("link").get<std::string>();
    CRISP_ASSIGN_OR_RETURN(reservation.ip, Ipv4::Parse(file.at("ip").get<std::string>()));
    for (const json& port : file.at("ports")) {
      reservation.ports.push_back({.protocol = port.at("protocol").get<std::string>(),
                                   .container_port = port.at("containerPort").get<int32_t>(),
                                   .host_port = port.at("hostPort").get<int32_t>(),
                                   .host_ip = port.at("hostIP").get<std::string>()});
    }
  } catch (const json::exception& error) {
    return absl::DataLossError(error.what());
  }
  return reservation;
}

}  // namespace

std::string LinkName(const std::string& sandbox_id) {
  // FNV-1a: interface names are too short for ids, and must be the same in the
  // next process. 48 bits of it do not collide among the pods of one node.
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : sandbox_id) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  return absl::StrFormat("%s%012x", kLinkPrefix, hash >> 16);
}

absl::StatusOr<UniqueFd> Reservations::Enter() {
  CRISP_RETURN_IF_ERROR(MakeDirs(dir_, 0700));
  const std::string path = JoinPath(dir_, kLockFile);
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock, SysFd(absl::StrCat("open ", path), [&] {
                           return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                         0600);
                         }));
  CRISP_RETURN_IF_ERROR(
      Sys(absl::StrCat("lock ", path), [&] { return ::flock(lock.get(), LOCK_EX); }));
  CRISP_ASSIGN_OR_RETURN(const std::string text, ReadAll(lock.get(), 4096));
  int64_t generation = 0;
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  if (!text.empty()) (void)absl::SimpleAtoi(parts[0], &generation);
  if (parts.size() > 1) {
    const auto last = Ipv4::Parse(parts[1]);
    if (last.ok()) last_ = *last;
  }
  if (generation != generation_) {
    generation_ = -1;
    CRISP_RETURN_IF_ERROR(Reload());
    generation_ = generation;
  }
  return lock;
}

absl::Status Reservations::Announce(int lock_fd) {
  const int64_t next = generation_ + 1;
  // Until the change is complete, our own index counts as stale too.
  generation_ = -1;
  const std::string text = absl::StrCat(next, " ", last_.ToString());
  CRISP_RETURN_IF_ERROR(
      Sys("write lock file", [&] { return ::pwrite(lock_fd, text.data(), text.size(), 0); }));
  CRISP_RETURN_IF_ERROR(
      Sys("cut lock file", [&] { return ::ftruncate(lock_fd, static_cast<off_t>(text.size())); }));
  generation_ = next;
  return absl::OkStatus();
}

void Reservations::Index(Reservation reservation) {
  taken_.insert(reservation.ip);
  by_sandbox_[reservation.sandbox_id] = std::move(reservation);
}

absl::Status Reservations::Reload() {
  by_sandbox_.clear();
  taken_.clear();
  DIR* stream = ::opendir(dir_.c_str());
  if (stream == nullptr) return ErrnoStatus(errno, absl::StrCat("read ", dir_));
  auto close = absl::MakeCleanup([stream] { ::closedir(stream); });
  while (const dirent* entry = ::readdir(stream)) {
    absl::string_view id = entry->d_name;
    if (!absl::ConsumeSuffix(&id, kEnding) || id.empty() || id[0] == '.') continue;
    const std::string path = PathOf(dir_, std::string(id));
    CRISP_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFile));
    auto reservation = Deserialise(std::string(id), text);
    if (reservation.ok()) {
      Index(*std::move(reservation));
    } else {
      CRISP_RETURN_IF_ERROR(
          Sys(absl::StrCat("delete damaged ", path), [&] { return ::unlink(path.c_str()); }));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Ipv4> Reservations::NextFree() const {
  const uint32_t first = gateway().value + 1;
  const uint32_t end = subnet_.Broadcast().value;  // Not given out itself.
  const uint32_t count = end - first;
  const bool resume = last_.value >= first && last_.value < end;
  const uint32_t start = resume ? last_.value - first + 1 : 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Ipv4 candidate{first + (start + i) % count};
    if (taken_.count(candidate) == 0) return candidate;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("all ", count, " addresses of ", subnet_.ToString(), " are taken"));
}

absl::StatusOr<Reservation> Reservations::Reserve(const std::string& sandbox_id,
                                                  const std::string& pod,
                                                  const std::vector<PortMapping>& ports) {
  CRISP_RETURN_IF_ERROR(ValidateIdentifier("sandbox id", sandbox_id));
  absl::MutexLock lock(&mu_);
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock_file, Enter());
  if (by_sandbox_.count(sandbox_id) != 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("sandbox ", sandbox_id, " holds an address already"));
  }
  for (const auto& [id, other] : by_sandbox_) {
    for (const PortMapping& theirs : other.ports) {
      for (const PortMapping& ours : ports) {
        if (!PortsCollide(ours, theirs)) continue;
        return absl::AlreadyExistsError(absl::StrCat("host port ", PortText(ours),
                                                     " is held by pod ", other.pod, " (sandbox ",
                                                     id, ") as ", PortText(theirs)));
      }
    }
  }
  Reservation reservation{
      .sandbox_id = sandbox_id, .pod = pod, .link = LinkName(sandbox_id), .ports = ports};
  CRISP_ASSIGN_OR_RETURN(reservation.ip, NextFree());
  last_ = reservation.ip;
  CRISP_RETURN_IF_ERROR(Announce(lock_file.get()));
  CRISP_RETURN_IF_ERROR(WriteFileAtomic(PathOf(dir_, sandbox_id), Serialise(reservation), 0600));
  Index(reservation);
  return reservation;
}

absl::StatusOr<Reservation> Reservations::Find(const std::string& sandbox_id) {
  absl::MutexLock lock(&mu_);
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock_file, Enter());
  const auto it = by_sandbox_.find(sandbox_id);
  if (it != by_sandbox_.end()) return it->second;
  return absl::NotFoundError(absl::StrCat("sandbox ", sandbox_id, " holds no address"));
}

absl::StatusOr<std::vector<Reservation>> Reservations::List() {
  absl::MutexLock lock(&mu_);
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock_file, Enter());
  std::vector<Reservation> out;
  for (const auto& [id, reservation] : by_sandbox_) out.push_back(reservation);
  return out;
}

absl::Status Reservations::Free(const std::string& sandbox_id) {
  absl::MutexLock lock(&mu_);
  CRISP_ASSIGN_OR_RETURN(UniqueFd lock_file, Enter());
  const auto it = by_sandbox_.find(sandbox_id);
  if (it == by_sandbox_.end()) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(Announce(lock_file.get()));
  const std::string path = PathOf(dir_, sandbox_id);
  CRISP_RETURN_IF_ERROR(Sys(absl::StrCat("delete ", path), [&] { return ::unlink(path.c_str()); }));
  taken_.erase(it->second.ip);
  by_sandbox_.erase(it);
  return absl::OkStatus();
}

}  // namespace crisp::netns

#include "shim/launch/seccomp_cache.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/safe_path.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/sys.h"
#include "base/unique_fd.h"
#include "seccomp/filter.h"

namespace crisp::shim {
namespace {

// Goes up when the same profile is compiled to something else.
constexpr char kFormat[] = "crisp seccomp 1";
constexpr size_t kMaxProgram = BPF_MAXINSNS * sizeof(sock_filter);

std::string KeyOf(const nlohmann::json& profile) {
  utsname host;
  ::uname(&host);
  const scmp_version* library = ::seccomp_version();
  return Sha256Hex(absl::StrCat(kFormat, "\n", host.machine, "\n", library->major, ".",
                                library->minor, ".", library->micro, "\n", profile.dump()));
}

bool IsKey(const std::string& key) {
  return key.size() == 64 && key.find_first_not_of("0123456789abcdef") == std::string::npos;
}

absl::StatusOr<UniqueFd> OpenCache(const std::string& path) {
  CRISP_RETURN_IF_ERROR(MakeDirs(path, 0700));
  CRISP_ASSIGN_OR_RETURN(UniqueFd dir, OpenDir(path));
  struct stat st;
  CRISP_RETURN_IF_ERROR(Sys("stat", [&] { return ::fstat(dir.get(), &st); }));
  if (st.st_uid != ::geteuid() || (st.st_mode & 022) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, " belongs to others"));
  }
  return dir;
}

absl::Status CheckProgram(const std::string& program) {
  if (!program.empty() && program.size() % sizeof(sock_filter) == 0 &&
      program.size() <= kMaxProgram) {
    return absl::OkStatus();
  }
  return absl::DataLossError("a damaged seccomp filter");
}

}  // namespace

absl::StatusOr<std::string> ReadCachedProgram(const std::string& cache_dir,
                                              const std::string& key) {
  if (!IsKey(key)) return absl::DataLossError("not the key of a seccomp filter");
  CRISP_ASSIGN_OR_RETURN(const UniqueFd dir, OpenCache(cache_dir));
  CRISP_ASSIGN_OR_RETURN(std::string program, ReadFileAt(dir.get(), key, kMaxProgram));
  CRISP_RETURN_IF_ERROR(CheckProgram(program));
  return program;
}

absl::StatusOr<SeccompFilter> GetSeccompFilter(const nlohmann::json& profile,
                                               const std::string& cache_dir) {
  SeccompFilter out;
  if (profile.is_null()) return out;
  if (!profile.is_object()) {
    return absl::InvalidArgumentError("linux.seccomp: is not an object");
  }
  auto flags = SeccompFlags(profile);
  if (!flags.ok()) return Annotate(flags.status(), "linux.seccomp");
  out.flags = *flags;
  if (!cache_dir.empty()) {
    out.key = KeyOf(profile);
    if (auto cached = ReadCachedProgram(cache_dir, out.key); cached.ok()) {
      out.program = *std::move(cached);
      return out;
    }
  }
  auto compiled = CompileSeccomp(profile);
  if (!compiled.ok()) return Annotate(compiled.status(), "linux.seccomp");
  out.program = *std::move(compiled);
  if (cache_dir.empty()) return out;
  const auto dir = OpenCache(cache_dir);
  if (!dir.ok() || !WriteFileAtomicAt(dir->get(), out.key, out.program, 0600).ok()) {
    out.key.clear();
  }
  return out;
}

absl::Status LoadSeccompFilter(const SeccompFilter& filter) {
  if (filter.program.empty()) return absl::OkStatus();
  CRISP_RETURN_IF_ERROR(CheckProgram(filter.program));
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(filter.program.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.program.data()));
  return Sys("load seccomp filter", [&] {
    return static_cast<int>(
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, &program));
  });
}

}  // namespace crisp::shim

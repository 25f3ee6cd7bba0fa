// For tests: a directory that is gone afterwards, and a mount namespace of one's own.
#ifndef CRISP_VOLUMES_TEMP_DIR_H_
#define CRISP_VOLUMES_TEMP_DIR_H_

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace crisp::volumes {

class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/crisp-volumes-XXXXXX";  // Short: sockets live here too.
    path_ = ::mkdtemp(pattern.data()) != nullptr ? pattern : "/nonexistent";
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Moves this thread, and threads it starts, into a mount namespace that nothing
// leaves. "" or why it cannot.
inline std::string EnterPrivateMounts() {
  static const std::string reason = []() -> std::string {
    if (::geteuid() != 0) return "not root";
    if (::unshare(CLONE_NEWNS) != 0) return std::string("unshare: ") + std::strerror(errno);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return std::string("make mounts private: ") + std::strerror(errno);
    }
    return "";
  }();
  return reason;
}

inline std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return "<cannot open>";
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void Spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_TEMP_DIR_H_

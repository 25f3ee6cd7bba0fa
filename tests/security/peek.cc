// In a container: looks into every other process as soon as it appears, and tells of one
// that is not yet the container's program.
//
//   peek LOOT   never returns; a line in LOOT is a way out
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace {

bool IsProgram(const char* exe) { return strstr(exe, "busybox") != nullptr; }

void Look(int pid, FILE* loot) {
  char path[64], exe[PATH_MAX];
  snprintf(path, sizeof(path), "/proc/%d/mem", pid);
  const int mem = open(path, O_RDWR | O_CLOEXEC);
  snprintf(path, sizeof(path), "/proc/%d/fd", pid);
  DIR* fds = opendir(path);
  const bool listed = fds != nullptr && readdir(fds) != nullptr;
  if (fds != nullptr) closedir(fds);
  snprintf(path, sizeof(path), "/proc/%d/exe", pid);
  const ssize_t size = readlink(path, exe, sizeof(exe) - 1);
  if (size > 0) exe[size] = '\0';
  // Read last: whoever has become the program by now may be looked at.
  if (size > 0 && !IsProgram(exe)) {
    fprintf(loot, "%d exe %s mem %d fds %d\n", pid, exe, mem >= 0, listed);
    fflush(loot);
  }
  if (mem >= 0) close(mem);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  FILE* loot = fopen(argv[1], "w");
  if (loot == nullptr) return 1;
  const int self = getpid();
  while (true) {
    DIR* proc = opendir("/proc");
    if (proc == nullptr) return 1;
    while (const dirent* entry = readdir(proc)) {
      const int pid = atoi(entry->d_name);
      if (pid > 0 && pid != self) Look(pid, loot);
    }
    closedir(proc);
  }
}

// crisp-pause holds a pod: as long as it lives, so do the pod's namespaces.
//
// It does nothing but wait for SIGTERM or SIGINT, and it is its own C library:
// no allocator, no loader, no second thread, a handful of resident pages. As pid 1 of
// a shared pid namespace it inherits every orphan of the pod; SIGCHLD set to
// SIG_IGN makes the kernel discard them without ever waking it (sigaction(2),
// "SA_NOCLDWAIT"; orphans that died earlier are collected once at start).
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "crisp-pause knows the system calls of x86_64 and aarch64"
#endif

#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/wait.h>

namespace {

#if defined(__x86_64__)

// The kernel is entered with the arguments on the stack and no return address;
// the ABI wants the stack aligned to 16 at the call.
asm(".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call pause_main\n"
    "  hlt\n");

long Syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result;
  register long r10 asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
               : "rcx", "r11", "memory");
  return result;
}

#else

asm(".globl _start\n"
    "_start:\n"
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  mov x0, sp\n"
    "  bl pause_main\n"
    "  brk #1\n");

long Syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
  return x0;
}

#endif

// The kernel's own struct sigaction; without a handler no restorer is needed.
struct KernelSigaction {
  unsigned long handler;
  unsigned long flags;
  unsigned long restorer;
  unsigned long mask;
};

constexpr unsigned long kSigsetBytes = 8;
constexpr unsigned long kEndSignals = (1UL << (SIGTERM - 1)) | (1UL << (SIGINT - 1));

template <typename T>
long Address(const T* p) {
  return reinterpret_cast<long>(p);
}

template <unsigned long N>
void Print(int fd, const char (&text)[N]) {
  (void)Syscall(__NR_write, fd, Address(&text[0]), N - 1);
}

bool IsVersionFlag(const char* arg) {
  if (arg[0] != '-') return false;
  if (arg[1] == 'v' && arg[2] == '\0') return true;
  constexpr char kLong[] = "-version";
  for (unsigned long i = 0; i < sizeof(kLong); ++i) {
    if (arg[i + 1] != kLong[i]) return false;
  }
  return true;
}

[[noreturn]] void Exit(int code) {
  while (true) (void)Syscall(__NR_exit_group, code);
}

void WaitForEndSignal() {
  // Blocked before anything else: the kernel discards a signal at pid 1's default
  // disposition, but never one that is blocked.
  (void)Syscall(__NR_rt_sigprocmask, SIG_BLOCK, Address(&kEndSignals), 0, kSigsetBytes);

  const KernelSigaction ignore = {1 /* SIG_IGN */, 0, 0, 0};
  (void)Syscall(__NR_rt_sigaction, SIGCHLD, Address(&ignore), 0, kSigsetBytes);
  while (Syscall(__NR_wait4, -1, 0, WNOHANG) > 0) {
  }
  // A terminal that hangs up must not take the pod with it.
  (void)Syscall(__NR_rt_sigaction, SIGHUP, Address(&ignore), 0, kSigsetBytes);

  while (Syscall(__NR_rt_sigtimedwait, Address(&kEndSignals), 0, 0, kSigsetBytes) < 0) {
  }
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void pause_main(const long* stack) {
  const long argc = stack[0];
  const char* const* argv = reinterpret_cast<const char* const*>(stack + 1);
  if (argc > 1) {
    if (IsVersionFlag(argv[1])) {
      Print(1, "crisp-pause " CRISP_VERSION "\n");
      Exit(0);
    }
    Print(2, "usage: crisp-pause [-v]\nHolds the namespaces of a pod until SIGTERM or SIGINT.\n");
    Exit(2);
  }
  WaitForEndSignal();
  Exit(0);
}

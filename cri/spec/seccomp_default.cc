#include "cri/spec/seccomp_default.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "cri/spec/capabilities.h"

namespace crisp::cri {
namespace {

// Open to every container.
constexpr char kAlways[] =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
    "fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 "
    "fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv "
    "futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 "
    "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer "
    "getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 "
    "getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
    "gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 "
    "lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek "
    "lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules lsm_set_self_attr lstat "
    "lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir "
    "mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
    "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 "
    "prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 "
    "pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom "
    "recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename "
    "renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
    "rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
    "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
    "set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
    "setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid "
    "setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid "
    "setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 "
    "statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime "
    "timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
    "uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev ";

struct Gate {
  const char* capability;
  const char* calls;
};

constexpr Gate kGates[] = {
    {"DAC_READ_SEARCH", "open_by_handle_at"},
    {"SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
     "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
     "sethostname setns syslog umount umount2 unshare"},
    {"SYS_BOOT", "reboot"},
    {"SYS_CHROOT", "chroot"},
    {"SYS_MODULE", "delete_module finit_module init_module"},
    {"SYS_PACCT", "acct"},
    {"SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"},
    {"SYS_RAWIO", "ioperm iopl"},
    {"SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    {"SYS_TTY_CONFIG", "vhangup"},
    {"SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"SYSLOG", "syslog"},
    {"BPF", "bpf"},
    {"PERFMON", "perf_event_open"},
};

#if defined(__x86_64__)
constexpr const char* kArchitectures[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
constexpr char kArchCalls[] = "arch_prctl modify_ldt";
#elif defined(__aarch64__)
constexpr const char* kArchitectures[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
constexpr char kArchCalls[] =
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2";
#elif defined(__s390x__)
constexpr const char* kArchitectures[] = {"SCMP_ARCH_S390X", "SCMP_ARCH_S390"};
constexpr char kArchCalls[] = "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr";
#elif defined(__powerpc64__)
constexpr const char* kArchitectures[] = {"SCMP_ARCH_PPC64LE"};
constexpr char kArchCalls[] = "swapcontext sync_file_range2";
#elif defined(__riscv)
constexpr const char* kArchitectures[] = {"SCMP_ARCH_RISCV64"};
constexpr char kArchCalls[] = "riscv_flush_icache riscv_hwprobe";
#else
#error "no default seccomp profile for this architecture"
#endif

// The kernel takes clone(2)'s first two arguments in the other order on s390.
#if defined(__s390x__)
constexpr int kCloneFlagsArg = 1;
#else
constexpr int kCloneFlagsArg = 0;
#endif

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                     CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

// Linux, no-randomize, 32-bit Linux, both, and "what is it now?".
constexpr uint64_t kPersonalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

nlohmann::json Allow(const char* names) {
  const std::vector<std::string> list = absl::StrSplit(names, ' ', absl::SkipEmpty());
  return {{"names", list}, {"action", "SCMP_ACT_ALLOW"}};
}

nlohmann::json AllowIf(const char* name, int index, const char* op, uint64_t value,
                       uint64_t value_two = 0) {
  nlohmann::json rule = Allow(name);
  nlohmann::json arg = {{"index", index}, {"value", value}, {"op", op}};
  if (value_two != 0 || std::string(op) == "SCMP_CMP_MASKED_EQ") arg["valueTwo"] = value_two;
  rule["args"] = nlohmann::json::array({std::move(arg)});
  return rule;
}

}  // namespace

nlohmann::json DefaultSeccompProfile(uint64_t capabilities, int kernel_major, int kernel_minor) {
  nlohmann::json calls = nlohmann::json::array({Allow(kAlways), Allow(kArchCalls)});

  // All families but AF_ALG and AF_VSOCK, the one a source of kernel bugs and the
  // other a way to the hypervisor past every network policy. Three rules of one
  // condition each: two conditions on the same argument in one rule become an OR.
  static_assert(AF_ALG == 38 && AF_VSOCK == 40, "AF_ALG + 1 is the one family between them");
  calls.push_back(AllowIf("socket", 0, "SCMP_CMP_LT", AF_ALG));
  calls.push_back(AllowIf("socket", 0, "SCMP_CMP_EQ", AF_ALG + 1));
  calls.push_back(AllowIf("socket", 0, "SCMP_CMP_GT", AF_VSOCK));

  for (const uint64_t personality : kPersonalities) {
    calls.push_back(AllowIf("personality", 0, "SCMP_CMP_EQ", personality));
  }
  // Before 4.8 ptrace could be used to step around a filter.
  if (kernel_major > 4 || (kernel_major == 4 && kernel_minor >= 8)) {
    calls.push_back(Allow("process_vm_readv process_vm_writev ptrace"));
  }
  for (const Gate& gate : kGates) {
    if (HasCapability(capabilities, gate.capability)) calls.push_back(Allow(gate.calls));
  }
  if (!HasCapability(capabilities, "SYS_ADMIN")) {
    calls.push_back(AllowIf("clone", kCloneFlagsArg, "SCMP_CMP_MASKED_EQ", kNamespaceFlags));
    // clone3's flags are behind a pointer where a filter cannot look. With ENOSYS
    // libc falls back to clone; EPERM would be taken as an answer.
    calls.push_back({{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  }
  return {{"defaultAction", "SCMP_ACT_ERRNO"},
          {"defaultErrnoRet", EPERM},
          {"architectures", kArchitectures},
          {"syscalls", std::move(calls)}};
}

}  // namespace crisp::cri

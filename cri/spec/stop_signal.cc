#include "cri/spec/stop_signal.h"

#include <csignal>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "cri/spec/field_text.h"

namespace crisp::cri {
namespace {

using runtime::v1::Signal;

// What libc calls SIGRTMIN is 34 here: it keeps the kernel's first two for itself.
constexpr int kRtMin = 34;
constexpr int kRtMax = 64;

struct Known {
  const char* name;
  int number;
  Signal cri;
};

// Where two names share a number the first is the one that a status reports.
constexpr Known kSignals[] = {
    {"ABRT", SIGABRT, Signal::SIGNAL_SIGABRT},
    {"ALRM", SIGALRM, Signal::SIGNAL_SIGALRM},
    {"BUS", SIGBUS, Signal::SIGNAL_SIGBUS},
    {"CHLD", SIGCHLD, Signal::SIGNAL_SIGCHLD},
    {"CLD", SIGCHLD, Signal::SIGNAL_SIGCLD},
    {"CONT", SIGCONT, Signal::SIGNAL_SIGCONT},
    {"FPE", SIGFPE, Signal::SIGNAL_SIGFPE},
    {"HUP", SIGHUP, Signal::SIGNAL_SIGHUP},
    {"ILL", SIGILL, Signal::SIGNAL_SIGILL},
    {"INT", SIGINT, Signal::SIGNAL_SIGINT},
    {"IO", SIGIO, Signal::SIGNAL_SIGIO},
    {"IOT", SIGABRT, Signal::SIGNAL_SIGIOT},
    {"KILL", SIGKILL, Signal::SIGNAL_SIGKILL},
    {"PIPE", SIGPIPE, Signal::SIGNAL_SIGPIPE},
    {"POLL", SIGIO, Signal::SIGNAL_SIGPOLL},
    {"PROF", SIGPROF, Signal::SIGNAL_SIGPROF},
    {"PWR", SIGPWR, Signal::SIGNAL_SIGPWR},
    {"QUIT", SIGQUIT, Signal::SIGNAL_SIGQUIT},
    {"SEGV", SIGSEGV, Signal::SIGNAL_SIGSEGV},
    {"STKFLT", SIGSTKFLT, Signal::SIGNAL_SIGSTKFLT},
    {"STOP", SIGSTOP, Signal::SIGNAL_SIGSTOP},
    {"SYS", SIGSYS, Signal::SIGNAL_SIGSYS},
    {"TERM", SIGTERM, Signal::SIGNAL_SIGTERM},
    {"TRAP", SIGTRAP, Signal::SIGNAL_SIGTRAP},
    {"TSTP", SIGTSTP, Signal::SIGNAL_SIGTSTP},
    {"TTIN", SIGTTIN, Signal::SIGNAL_SIGTTIN},
    {"TTOU", SIGTTOU, Signal::SIGNAL_SIGTTOU},
    {"URG", SIGURG, Signal::SIGNAL_SIGURG},
    {"USR1", SIGUSR1, Signal::SIGNAL_SIGUSR1},
    {"USR2", SIGUSR2, Signal::SIGNAL_SIGUSR2},
    {"VTALRM", SIGVTALRM, Signal::SIGNAL_SIGVTALRM},
    {"WINCH", SIGWINCH, Signal::SIGNAL_SIGWINCH},
    {"XCPU", SIGXCPU, Signal::SIGNAL_SIGXCPU},
    {"XFSZ", SIGXFSZ, Signal::SIGNAL_SIGXFSZ},
};

// CRI numbers the real-time signals in the kernel's order, one above the kernel.
static_assert(Signal::SIGNAL_SIGRTMIN == kRtMin + 1 && Signal::SIGNAL_SIGRTMAX == kRtMax + 1);

bool InRange(int number) { return number >= 1 && number <= kRtMax; }

}  // namespace

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  const std::string upper = absl::AsciiStrToUpper(text);
  absl::string_view name = upper;
  int number = 0;
  if (!name.empty() && absl::ascii_isdigit(name[0]) && absl::SimpleAtoi(name, &number) &&
      InRange(number)) {
    return number;
  }
  absl::ConsumePrefix(&name, "SIG");
  for (const Known& known : kSignals) {
    if (name == known.name) return known.number;
  }
  int offset = 0;
  if (name == "RTMIN") return kRtMin;
  if (name == "RTMAX") return kRtMax;
  const bool up = absl::ConsumePrefix(&name, "RTMIN+");
  if (up || absl::ConsumePrefix(&name, "RTMAX-")) {
    const bool digits = !name.empty() && absl::ascii_isdigit(name[0]);
    if (digits && absl::SimpleAtoi(name, &offset) && offset <= kRtMax - kRtMin) {
      return up ? kRtMin + offset : kRtMax - offset;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not a signal"));
}

absl::StatusOr<int> EffectiveStopSignal(Signal requested, const std::string& image_stop_signal) {
  if (requested == Signal::SIGNAL_RUNTIME_DEFAULT) {
    if (image_stop_signal.empty()) return SIGTERM;
    return Annotate(ParseSignal(image_stop_signal), "image stop signal");
  }
  for (const Known& known : kSignals) {
    if (requested == known.cri) return known.number;
  }
  if (requested >= Signal::SIGNAL_SIGRTMIN && requested <= Signal::SIGNAL_SIGRTMAX) {
    return static_cast<int>(requested) - 1;
  }
  return BadField("config.stop_signal",
                  absl::StrCat(static_cast<int>(requested), " is not a known signal"));
}

Signal SignalToCri(int number) {
  for (const Known& known : kSignals) {
    if (number == known.number) return known.cri;
  }
  if (number >= kRtMin && number <= kRtMax) return static_cast<Signal>(number + 1);
  return Signal::SIGNAL_RUNTIME_DEFAULT;
}

}  // namespace crisp::cri

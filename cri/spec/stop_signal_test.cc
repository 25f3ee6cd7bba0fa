#include "cri/spec/stop_signal.h"

#include <csignal>

#include "base/status_matchers.h"

namespace crisp::cri {
namespace {

using runtime::v1::Signal;

TEST(ParseSignal, NamesAndNumbers) {
  EXPECT_THAT(ParseSignal("SIGTERM"), IsOkAndHolds(15));
  EXPECT_THAT(ParseSignal("quit"), IsOkAndHolds(3));
  EXPECT_THAT(ParseSignal("9"), IsOkAndHolds(9));
  EXPECT_THAT(ParseSignal("SIGRTMIN+3"), IsOkAndHolds(37));
  EXPECT_THAT(ParseSignal("RTMAX-1"), IsOkAndHolds(63));
  EXPECT_THAT(ParseSignal("RTMIN"), IsOkAndHolds(34));
  for (const char* bad :
       {"", "0", "65", "-1", "SIG", "SIGFOO", "RTMIN+", "RTMIN+99", "RTMIN+-1", "RTMAX+1", "15x"}) {
    EXPECT_FALSE(ParseSignal(bad).ok()) << bad;
  }
}

TEST(EffectiveStopSignal, RequestThenImageThenTerm) {
  EXPECT_THAT(EffectiveStopSignal(Signal::SIGNAL_RUNTIME_DEFAULT, ""), IsOkAndHolds(SIGTERM));
  EXPECT_THAT(EffectiveStopSignal(Signal::SIGNAL_RUNTIME_DEFAULT, "SIGQUIT"),
              IsOkAndHolds(SIGQUIT));
  EXPECT_THAT(EffectiveStopSignal(Signal::SIGNAL_SIGUSR1, "SIGQUIT"), IsOkAndHolds(SIGUSR1));
  EXPECT_THAT(EffectiveStopSignal(Signal::SIGNAL_SIGRTMINPLUS15, ""), IsOkAndHolds(49));
  EXPECT_THAT(EffectiveStopSignal(Signal::SIGNAL_SIGRTMAXMINUS14, ""), IsOkAndHolds(50));
  EXPECT_FALSE(EffectiveStopSignal(static_cast<Signal>(99), "").ok());
  EXPECT_FALSE(EffectiveStopSignal(Signal::SIGNAL_RUNTIME_DEFAULT, "NOPE").ok());
}

TEST(SignalToCri, InvertsEverySignal) {
  for (int number = 1; number <= 64; ++number) {
    if (number == 32 || number == 33) continue;  // libc's own
    const Signal cri = SignalToCri(number);
    EXPECT_NE(cri, Signal::SIGNAL_RUNTIME_DEFAULT) << number;
    EXPECT_THAT(EffectiveStopSignal(cri, ""), IsOkAndHolds(number));
  }
}

}  // namespace
}  // namespace crisp::cri

#include "shim/task/state.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace crisp::shim {
namespace {

TEST(State, OnlyTheDrawnMovesAreLegal) {
  using enum State;
  const std::set<std::pair<State, State>> legal = {
      {kCreating, kCreated}, {kCreating, kStopped}, {kCreated, kStarting}, {kCreated, kStopped},
      {kStarting, kRunning}, {kStarting, kStopped}, {kRunning, kPaused},   {kRunning, kStopped},
      {kPaused, kRunning},   {kPaused, kStopped},
  };
  constexpr State kAll[] = {kCreating, kCreated, kStarting, kRunning, kPaused, kStopped};
  for (const State from : kAll) {
    for (const State to : kAll) {
      EXPECT_EQ(CanMove(from, to), legal.contains({from, to}))
          << static_cast<int>(from) << " to " << static_cast<int>(to);
    }
  }
}

}  // namespace
}  // namespace crisp::shim

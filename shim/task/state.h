// The states of a process, and the legal moves between them.
//
//   kCreating ──▶ kCreated ──Start──▶ kStarting ──▶ kRunning ◀──Pause/Resume──▶ kPaused
//       │            │                    │             │                         │
//       └────────────┴────────────────────┴──────┬──────┴─────────────────────────┘
//                                                ▼
//                                            kStopped ──Delete──▶ (forgotten)
//
// An exec begins at kCreated: it is known, and nothing of it exists yet. Only a
// container's init can be paused.
#ifndef CRISP_SHIM_TASK_STATE_H_
#define CRISP_SHIM_TASK_STATE_H_

namespace crisp::shim {

enum class State { kCreating, kCreated, kStarting, kRunning, kPaused, kStopped };

constexpr bool CanMove(State from, State to) {
  using enum State;
  switch (from) {
    case kCreating:
      return to == kCreated || to == kStopped;
    case kCreated:
      return to == kStarting || to == kStopped;
    case kStarting:
      return to == kRunning || to == kStopped;
    case kRunning:
      return to == kPaused || to == kStopped;
    case kPaused:
      return to == kRunning || to == kStopped;
    case kStopped:
      return false;
  }
  return false;
}

}  // namespace crisp::shim

#endif  // CRISP_SHIM_TASK_STATE_H_

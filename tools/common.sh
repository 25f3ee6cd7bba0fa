# shellcheck shell=bash
# What tools/setup, tools/run and tools/test share: messages, timed steps, the build.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOME=${HOME:-/root}
export LC_ALL=C

# Everything noisy goes to this file; its tail is shown when a step fails.
log=${CRISP_LOG:-}

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

need_root() {
  [[ $(id -u) == 0 ]] || die "needs root: it makes namespaces, mounts and cgroups (sudo $0)"
}

# open_log NAME: makes the log file of this run.
open_log() {
  if [[ -z $log ]]; then
    mkdir -p "$repo/.crisp/log"
    log=$repo/.crisp/log/$1.log
    : >"$log"
    export CRISP_LOG=$log
  fi
}

now_ms() { date +%s%3N; }

# seconds_since START_MS: "1.2"
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# step TEXT COMMAND...: one line on the screen, the output in the log, its tail on failure.
# COMMAND runs without `set -e`; a function given here returns its failures.
step() {
  local text=$1 start status=0
  shift
  start=$(now_ms)
  printf '%-58s ' "$text"
  printf '\n==> %s\n+ %s\n' "$text" "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    printf '%6s s\n' "$(seconds_since "$start")"
    return 0
  fi
  printf 'FAILED after %s s\n' "$(seconds_since "$start")"
  show_log_tail
  return "$status"
}

show_log_tail() {
  {
    echo "--- the last lines of $log"
    tail -n 40 "$log"
    echo "---"
  } >&2
}

# run_bazel ARGS...: CRISP_BAZEL names another command to call than `bazel`.
run_bazel() {
  local command
  read -r -a command <<<"${CRISP_BAZEL:-bazel}"
  # The build server would keep tools/run's lock (9) and its caller's pipes (7, 8).
  (cd "$repo" && "${command[@]}" "$@" 7>&- 8>&- 9>&-)
}

bazel_bin() { run_bazel info bazel-bin 2>>"$log"; }

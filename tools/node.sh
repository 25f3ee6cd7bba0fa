# shellcheck shell=bash
# A node for one machine: crispd and its containerd under two directories of their
# own. Used by tools/run, which sets node_bin and reads node_socket; needs tools/common.sh.
# shellcheck disable=SC2034,SC2154

node_root=/var/lib/crisp-run    # images, snapshots, objects
node_state=/run/crisp-run       # sockets, records, pinned namespaces
node_bridge=crisp-run0
node_socket= # crispd's
node_agent=  # the agent's

# crisp on the node that find_node found, or start_node and start_agent made.
crisp() {
  CRISP_AGENT=unix://$node_agent CRISP_ADDRESS=unix://$node_socket "$node_bin/crisp" "$@"
}

crispd_answers() {
  [[ -S $1 ]] && CRISP_ADDRESS=unix://$1 "$node_bin/crisp" version --runtime >/dev/null 2>&1
}
agent_answers() { [[ -S $1 ]] && CRISP_AGENT=unix://$1 "$node_bin/crisp" version >/dev/null 2>&1; }

# Sets node_socket to a crispd that serves already: the machine's own, or one kept by
# an earlier `tools/run --keep`.
find_node() {
  local socket
  for socket in /run/crisp/crisp.sock "$node_state/crisp.sock"; do
    if crispd_answers "$socket"; then
      node_socket=$socket
      return 0
    fi
  done
  return 1
}

# The same for node_agent, beside the crispd that was found.
find_agent() {
  local socket=${node_socket%/*}/agent.sock
  agent_answers "$socket" && node_agent=$socket
}

write_node_config() {
  cat >"$node_state/config.toml" <<EOF
cgroup_parent = "/crisp-run"

[containerd]
stop_on_exit = true

[network]
bridge = "$node_bridge"
subnet = "10.86.0.0/16"
remove_on_exit = true
EOF
}

# wait_until_it_answers WHAT PID LOG COMMAND...: until COMMAND succeeds, for 30 s at most, and no
# longer than PID lives.
wait_until_it_answers() {
  local what=$1 pid=$2 log_of=$3
  shift 3
  for _ in {1..300}; do
    if "$@"; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "$what ended:"
      tail -n 30 "$log_of"
      return 1
    fi
    sleep 0.1
  done
  echo "$what does not answer after 30 s:"
  tail -n 30 "$log_of"
  return 1
}

start_node() {
  mkdir -p "$node_root" "$node_state"
  chmod 700 "$node_root" "$node_state"
  write_node_config
  cat /proc/sys/net/ipv4/ip_forward >"$node_state/ip_forward" # crispd turns it on
  setsid "$node_bin/crispd" --config "$node_state/config.toml" \
    --root "$node_root" --state "$node_state" --listen "unix://$node_state/crisp.sock" \
    --log-level info >"$node_state/crispd.log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
  echo $! >"$node_state/crispd.pid"
  wait_until_it_answers crispd $! "$node_state/crispd.log" crispd_answers "$node_state/crisp.sock" || return 1
  node_socket=$node_state/crisp.sock
}

# An agent of ours on the crispd at node_socket.
start_agent() {
  mkdir -p "$node_root" "$node_state"
  chmod 700 "$node_root" "$node_state"
  setsid "$node_bin/crisp" agent --root "$node_root/agent" --listen "unix://$node_state/agent.sock" \
    --runtime-endpoint "unix://$node_socket" --pod-log-root "$node_root/logs" \
    >"$node_state/agent.log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
  wait_until_it_answers "the agent" $! "$node_state/agent.log" agent_answers "$node_state/agent.sock" || return 1
  node_agent=$node_state/agent.sock
}

# The processes of our node: crispd, the agent, containerd and the shims name its directories on
# their command lines; what runs in a pod has a mount table of its own with a root from
# there.
node_processes() {
  local dir command mounts own_mounts
  own_mounts=$(readlink /proc/self/ns/mnt)
  for dir in /proc/[0-9]*; do
    [[ ${dir#/proc/} != "$$" && ${dir#/proc/} != "$BASHPID" ]] || continue
    command=$(tr '\0' ' ' 2>/dev/null <"$dir/cmdline") || continue
    case $command in
      *"$node_state/"* | *"$node_root/"* | *"$node_bin/crispd "*) echo "${dir#/proc/}" ;;
      *)
        mounts=$(readlink "$dir/ns/mnt" 2>/dev/null) || continue
        if [[ $mounts != "$own_mounts" ]] && grep -q "=$node_root/" "$dir/mountinfo" 2>/dev/null; then
          echo "${dir#/proc/}"
        fi
        ;;
    esac
  done
}

end_processes() {
  local pids
  for signal in TERM TERM KILL; do
    mapfile -t pids < <(node_processes)
    ((${#pids[@]} > 0)) || return 0
    kill -s "$signal" "${pids[@]}" 2>/dev/null || true
    for _ in {1..50}; do
      mapfile -t pids < <(node_processes)
      ((${#pids[@]} > 0)) || return 0
      sleep 0.1
    done
  done
}

# Ends the pods, the agent, crispd, its containerd, and removes what they made. Does as much as it
# can: it also runs after a failure, and finds a node that is half there.
stop_node() {
  local mount
  if agent_answers "$node_state/agent.sock"; then
    node_agent=$node_state/agent.sock
    crisp delete all --all --all-namespaces --grace-period 1 --timeout 60s || true
  fi
  end_processes
  # What is still mounted below our two directories, innermost first.
  while read -r mount; do
    umount --lazy "$mount" || true
  done < <(awk -v a="$node_state/" -v b="$node_root/" \
    'index($5, a) == 1 || index($5, b) == 1 { print $5 }' /proc/self/mountinfo | sort -r)
  if [[ -s $node_state/ip_forward ]]; then
    cat "$node_state/ip_forward" >/proc/sys/net/ipv4/ip_forward || true
  fi
  # Only a crispd that could not end by itself leaves its bridge and cgroups.
  ip link delete "$node_bridge" 2>/dev/null || true
  find /sys/fs/cgroup -depth -type d -path '*/crisp-run*' -exec rmdir {} + 2>/dev/null || true
  rm -rf --one-file-system "$node_root" "$node_state"
}

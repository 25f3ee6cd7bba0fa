# shellcheck shell=bash
# A node for one machine: crispd and its containerd under two directories of their
# own. Used by tools/run, which sets node_bin and reads node_socket; needs tools/common.sh.
# shellcheck disable=SC2034,SC2154

node_root=/var/lib/crisp-run    # images, snapshots, objects
node_state=/run/crisp-run       # sockets, records, pinned namespaces
node_bridge=crisp-run0
node_logs=/var/log/pods
node_socket=

# crisp on the node whose socket is node_socket; logs of our own node go with it.
crisp() {
  CRISP_ADDRESS=unix://$node_socket CRISP_LOG_ROOT=$node_logs "$node_bin/crisp" "$@"
}

socket_answers() { [[ -S $1 ]] && CRISP_ADDRESS=unix://$1 "$node_bin/crisp" version >/dev/null 2>&1; }

# Sets node_socket to a node that serves already: the machine's own, or one kept by
# an earlier `tools/run --keep`.
find_node() {
  local socket
  for socket in /run/crisp/crisp.sock "$node_state/crisp.sock"; do
    if socket_answers "$socket"; then
      node_socket=$socket
      [[ $socket == /run/crisp/crisp.sock ]] || node_logs=$node_root/logs
      return 0
    fi
  done
  return 1
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

start_node() {
  local pid
  mkdir -p "$node_root" "$node_state"
  chmod 700 "$node_root" "$node_state"
  write_node_config
  cat /proc/sys/net/ipv4/ip_forward >"$node_state/ip_forward" # crispd turns it on
  setsid "$node_bin/crispd" --config "$node_state/config.toml" \
    --root "$node_root" --state "$node_state" --listen "unix://$node_state/crisp.sock" \
    --log-level info >"$node_state/crispd.log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
  pid=$!
  echo "$pid" >"$node_state/crispd.pid"
  for _ in {1..300}; do
    if socket_answers "$node_state/crisp.sock"; then
      node_socket=$node_state/crisp.sock
      node_logs=$node_root/logs
      return 0
    fi
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "crispd ended:"
      tail -n 30 "$node_state/crispd.log"
      return 1
    fi
    sleep 0.1
  done
  echo "crispd does not answer after 30 s:"
  tail -n 30 "$node_state/crispd.log"
  return 1
}

# The processes of our node: crispd, containerd and the shims name its directories on
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

# Ends the pods, crispd, its containerd, and removes what they made. Does as much as it
# can: it also runs after a failure, and finds a node that is half there.
stop_node() {
  local namespace pod mount
  if socket_answers "$node_state/crisp.sock"; then
    node_socket=$node_state/crisp.sock node_logs=$node_root/logs
    while read -r namespace pod _; do
      crisp delete pod -n "$namespace" "$pod" --grace-period 1 || true
    done < <(crisp get pods --all-namespaces --no-headers 2>/dev/null)
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

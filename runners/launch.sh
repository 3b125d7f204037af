#!/bin/sh
# Start a program in a session of its own, and keep in a folder what becomes of it:
#
#     sh launch.sh FOLDER PROGRAM [ARGUMENT...]
#
# Returns once the program runs, and prints by which boot. In FOLDER, each written under another name first:
#   pid        "LEADER START PROGRAM START": process ids and their start times, in ticks since boot
#   heartbeat  seconds since boot when the session was last alive, every 15 s
#   boot       by which boot of the kernel it runs
#   exit_code  as a shell gives it, 128 + n where signal n ended the program
#   log        all that the program printed; and that the kernel killed it for want of memory
#   lock       held until the session ends, so that a waiter can sleep on it (where flock is there)
#
# POSIX sh and nothing more: dash, busybox, toybox.

BOOT=/proc/sys/kernel/random/boot_id

put() {
  printf '%s\n' "$2" > "$1.part" && mv -f "$1.part" "$1"
}

# The name in the second field may hold spaces and brackets; what follows its last bracket does not.
start_time() {
  read -r line < "/proc/$1/stat" || return 1
  # shellcheck disable=SC2086 # to be split
  set -- ${line##*) }
  printf '%s' "${20}"
}

# How often the kernel has killed a program for want of memory.
oom_kills() {
  while read -r name count; do
    [ "$name" = oom_kill ] && printf '%s' "$count" && return
  done < /proc/vmstat
} 2> /dev/null

beat() {
  exec 9>&- # closed here, for a shell keeps a copy of what it closes for a function only
  while sleep 15 && kill -0 $$ 2> /dev/null; do
    read -r uptime _ < /proc/uptime && put heartbeat "$uptime"
  done
}

lead() {
  exec 9> lock
  command -v flock > /dev/null && flock 9
  # A told end reaches the program too; the leader stays to write down how it ended.
  trap : TERM
  [ -r "$BOOT" ] && read -r boot < "$BOOT" && put boot "$boot"
  kills=$(oom_kills)
  "$@" > log 2>&1 < /dev/null 9>&- &
  program=$!
  put pid "$$ $(start_time $$) $program $(start_time $program)"
  beat &
  wait "$program"
  code=$?
  while kill -0 "$program" 2> /dev/null; do
    wait "$program"
    code=$?
  done
  [ "$code" = 137 ] && [ "$(oom_kills)" != "$kills" ] && echo "Killed: out of memory" >> log
  put exit_code "$code"
  # The heartbeat, whatever the program left behind in its session, and this shell itself.
  kill -s KILL -- "-$$" 2> /dev/null
}

if [ "$1" = --lead ]; then
  shift
  cd "$1" || exit 1
  shift
  lead "$@"
  exit 0
fi

mkdir -p "$1" && cd "$1" || exit 1
if command -v setsid > /dev/null; then
  setsid sh "$0" --lead "$@" > launch.log 2>&1 < /dev/null &
else
  nohup sh "$0" --lead "$@" > launch.log 2>&1 < /dev/null &
fi
tries=0
while [ ! -e pid ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ]; then
    cat launch.log >&2
    exit 1
  fi
  sleep 0.05 2> /dev/null || sleep 1
done
[ ! -e boot ] || cat boot

"""What runs on the device to start, watch and end a job: POSIX sh, one round trip each.

`runners/launch.sh` says what the files of a job folder are.
"""

from typing import Final

# Is the process `pid` the one that started at `start`? A number alone may have come around again
# after a reboot, and a zombie answers to `kill -0`. A file that a power cut has emptied names none.
_ALIVE: Final = """
alive() {
  [ -n "$1" ] && read -r line 2> /dev/null < "/proc/$1/stat" || return 1
  start=$2
  set -- ${line##*) }
  [ "$1" != Z ] && [ "$1" != X ] && [ "${20}" = "$start" ]
}
read_pid() {
  leader=0; leader_start=; program=0; program_start=
  [ -e "$1/pid" ] && read -r leader leader_start program program_start < "$1/pid"
}
"""

# folder owner, then what `env` runs: variables, launcher, program. The environment is made anew, so
# that the login's own settings (LD_PRELOAD, PYTHONHOME, OMP_NUM_THREADS) do not become part of a
# measurement. The document is a line: one without an end was cut off by the link, and nothing is
# started by half of it.
START: Final = """
folder=$1 owner=$2 part=$1/job.json.$$.part
shift 2
[ -e "$folder/pid" ] && { cat "$folder/boot" 2> /dev/null; exit 0; }
mkdir -p "$folder" && printf '%s\\n' "$owner" > "$folder/owner" || exit 3
IFS= read -r document || { echo "half a job came" >&2; exit 3; }
printf '%s' "$document" > "$part" && mv -f "$part" "$folder/job.json" || exit 3
exec env -i PATH="$PATH" HOME="$HOME" "$@"
"""

WAIT_NAME: Final = "edgebench-wait"
# folder quiet_s slice_s boot   What ran before the device was started anew is gone, whatever its
# files say, for they may be half written. Sleeps on the lock that the leader holds, where flock and
# timeout are there: no look at the job costs anything then. Else it sleeps, and looks now and then.
WAIT: Final = (
    _ALIVE
    + """
is_here=no
cd "$1" 2> /dev/null && is_here=yes
tell() { printf '%s\\n' "$1"; [ $is_here = no ] || tail -c 8192 log 2> /dev/null; exit 0; }
booted=
[ -r /proc/sys/kernel/random/boot_id ] && read -r booted < /proc/sys/kernel/random/boot_id
[ -n "$4" ] && [ -n "$booted" ] && [ "$4" != "$booted" ] && tell restarted
[ $is_here = yes ] || tell vanished
look() {
  [ -e exit_code ] && read -r code < exit_code && tell "finished $code"
  read_pid .
  alive "$leader" "$leader_start" && return 0
  # It may have written its exit code between the two looks.
  [ -e exit_code ] && read -r code < exit_code && tell "finished $code"
  read -r now _ < /proc/uptime
  beat=
  [ -e heartbeat ] && read -r beat < heartbeat
  tell "vanished now=$now beat=$beat"
}
look
if command -v flock > /dev/null && command -v timeout > /dev/null; then
  timeout "$3" flock 8 8< lock
  look
else
  sleep "$2" 2> /dev/null || sleep "${2%.*}"
  left=$(($3 * 5))
  while [ "$left" -gt 0 ]; do
    look
    sleep 0.2 2> /dev/null || { sleep 1; left=$((left - 4)); }
    left=$((left - 1))
  done
fi
echo running
"""
)

# folder   Whether anything can be written there.
WRITE: Final = """
probe=$1/.probe.$$
: > "$probe" && rm -f "$probe"
"""

# folder   The leader writes down the exit code of a program that is told to end; then it is gone.
STOP: Final = (
    _ALIVE
    + """
read_pid "$1"
is_there() { alive "$leader" "$leader_start" || alive "$program" "$program_start"; }
is_there || exit 0
kill -s TERM -- "-$leader" 2> /dev/null || kill -s TERM "$program" 2> /dev/null
tries=0
while is_there && [ "$tries" -lt 20 ]; do
  sleep 0.1 2> /dev/null || { sleep 1; tries=$((tries + 9)); }
  tries=$((tries + 1))
done
# The program before its leader, for the leader to write down how it ended; then whoever else is
# left in the session, which outlives its leader.
alive "$program" "$program_start" && kill -s KILL "$program" && sleep 1
kill -s KILL -- "-$leader" 2> /dev/null
:
"""
)

# folder of the jobs   One line a job: who started it, and its name. What a lost link left half sent
# or half unpacked is removed, once nobody can be at work on it any more; and a job whose files a
# power cut has emptied, so that nobody could ever tell whose it was.
LIST: Final = (
    _ALIVE
    + """
cd "$1" 2> /dev/null || exit 0
find ../blobs ../runtimes ../runners \\( -name '*.part' -o -name '*.new' \\) -prune \\
  -mmin +60 -exec rm -rf {} + 2> /dev/null
for job in *; do
  [ -d "$job" ] || continue
  owner=
  [ -e "$job/owner" ] && read -r owner < "$job/owner"
  read_pid "$job"
  if [ -n "$owner" ]; then printf '%s\\t%s\\n' "$owner" "$job"
  elif ! alive "$leader" "$leader_start"; then rm -rf -- "$job"; fi
done
"""
)

BUSY: Final = 4
# folder lease_s names...   Takes away what is named, and prints how many KiB that were. A job that
# runs is named, and so is a host that holds settings of the device and was heard of a while ago.
PURGE: Final = (
    _ALIVE
    + """
work=$1 lease_s=$2
shift 2
cd "$work" 2> /dev/null || { echo 0; exit 0; }
for job in jobs/*; do
  read_pid "$job"
  if alive "$leader" "$leader_start" || alive "$program" "$program_start"; then
    echo "the job ${job#jobs/} runs there" >&2
    exit 4
  fi
done
if [ -e steady/standing ] && [ ! -e steady/restored ]; then
  read -r now _ < /proc/uptime
  heard=
  [ -e steady/lease ] && read -r heard < steady/lease
  ago=$((${now%.*} - ${heard:-0}))
  if [ "$ago" -ge 0 ] && [ "$ago" -lt "$lease_s" ]; then
    echo "a host that was heard of $ago s ago holds its settings" >&2
    exit 4
  fi
  : > steady/release
  sleep 2
fi
total=0
for name in "$@"; do
  [ -e "$name" ] || continue
  size=$(du -sk "$name" | cut -f 1)
  rm -rf -- "$name" || exit 3
  total=$((total + size))
done
echo "$total"
cd / && rmdir "$work" 2> /dev/null
:
"""
)

"""What runs on the device to lock it: POSIX sh, one round trip each, and no `flock`.

A lock is a folder `edgebench-lock.N` where all users of the device may write. The highest number
counts, and is never removed: so nobody who looked a moment ago can take what somebody else has
taken since, for `mkdir` fails. In it:
  token    which process of edgebench has it
  holder   a document for who finds it locked
  jobs     the folder of its jobs
  beat     "SECONDS LEASE BOOT": when the holder was last heard of since the boot of that name, and
           how long that counts
  free     appears when it is given back
"""

from typing import Final

# fallback   /tmp is every user's; Android has none.
_PLACE: Final = """
umask 022
for folder in "$EDGEBENCH_LOCKS" /tmp /data/local/tmp "$fallback"; do
  [ -n "$folder" ] && [ -d "$folder" ] && [ -w "$folder" ] && break
done
mkdir -p "$folder" && cd "$folder" || exit 3
number() {
  number=${1##*.}
  case $number in '' | 0* | *[!0-9]*) return 1 ;; esac
}
top() {
  top=0
  for lock in edgebench-lock.*; do
    number "$lock" && [ "$number" -gt "$top" ] && top=$number
  done
  lock=edgebench-lock.$top
}
is_ours() {
  [ -f "$lock/token" ] && [ "$(cat "$lock/token")" = "$token" ] && [ ! -e "$lock/free" ]
}
"""

# token fallback jobs lease_s over   Takes the lock, or says "ours" again and that we are still
# there, or "held N AGE_S" and the holder's document. The holder of number `over` is known to be no
# more. What others wrote is no number until it was looked at: bash evaluates `a[$(command)]`.
TAKE: Final = (
    """
token=$1 fallback=$2 jobs=$3 lease=$4 over=$5
document=$(cat)
"""
    + _PLACE
    + """
boot=
read -r boot 2> /dev/null < /proc/sys/kernel/random/boot_id
read -r now _ < /proc/uptime
now=${now%.*}
beat() {
  printf '%s %s %s\\n' "$now" "$lease" "$boot" > "$lock/beat.part" &&
    mv -f "$lock/beat.part" "$lock/beat"
}
is_busy() {
  for file in "$1"/*/pid; do
    [ -f "$file" ] && read -r leader start _ < "$file" || continue
    read -r line < "/proc/$leader/stat" || continue
    set -- "$1" ${line##*) }
    [ "$2" != Z ] && [ "${21}" = "$start" ] && return 0
  done 2> /dev/null
  return 1
}
is_held() {
  age=0
  [ "$top" != "$over" ] && [ ! -e "$lock/free" ] || return 1
  if [ ! -f "$lock/beat" ]; then
    # Whoever made it is about to write there, or died at that.
    [ -z "$(find "$lock" -prune -mmin +1 2> /dev/null)" ]
    return
  fi
  read -r heard lasts session < "$lock/beat"
  [ "$session" = "$boot" ] || return 1
  for value in "$heard" "$lasts"; do
    case $value in '' | *[!0-9]* | ??????????*) return 1 ;; esac
  done
  age=$((now - heard))
  [ "$age" -ge 0 ] && [ "$age" -le "$lasts" ] && return 0
  [ -f "$lock/jobs" ] && is_busy "$(cat "$lock/jobs")"
}
take() {
  mkdir "$lock" || return 1
  printf '%s' "$token" > "$lock/token" && printf '%s' "$jobs" > "$lock/jobs" &&
    printf '%s' "$document" > "$lock/holder" && beat || exit 3
}
for attempt in 1 2 3; do
  top
  if [ "$top" -gt 0 ]; then
    is_ours && beat && echo ours && exit 0
    is_held && break
  fi
  mine=$((top + 1))
  lock=edgebench-lock.$mine
  if take; then
    top
    if [ "$top" = "$mine" ]; then
      for old in edgebench-lock.*; do
        number "$old" && [ "$number" -lt "$mine" ] && rm -rf "$old" 2> /dev/null
      done
      echo ours
      exit 0
    fi
    rm -rf "edgebench-lock.$mine"
  else
    top
    [ "$top" -ge "$mine" ] || exit 3
  fi
done
echo "held $top $age"
[ -f "$lock/holder" ] && head -c 2048 "$lock/holder"
:
"""
)

# token fallback
RELEASE: Final = (
    "token=$1 fallback=$2\n"
    + _PLACE
    + """
top
is_ours && : > "$lock/free"
:
"""
)

#!/bin/sh
# Set files of the kernel's for as long as a host measures, and put them back whatever happens:
#
#     sh guard.sh FOLDER JOBS LEASE_S < SETTINGS
#
# SETTINGS has a line "PATH VALUE" for each file. Prints "PATH VALUE" as each reads afterwards, and
# returns; a session of its own stays, and puts everything back when FOLDER/release appears, or when
# the host has not touched FOLDER/lease for LEASE_S seconds and no job of the folder JOBS runs any
# more: a host that was killed, or a link that broke, leaves a board as it was. In FOLDER:
#   before    what each file read before anything was changed
#   lease     seconds since boot when the host was last heard of
#   standing  appears once there is somebody who will put everything back
#   restored  appears once everything is back
#
# POSIX sh and nothing more: dash, busybox, toybox.

uptime_s() {
  read -r now _ < /proc/uptime
  printf '%s\n' "${now%.*}"
}

restore() {
  while read -r path value; do
    printf '%s\n' "$value" > "$path"
  done < before 2> restore.log
  : > restored
}

# Whether a leader of a job is still the process that wrote its number down.
is_busy() {
  for file in "$1"/*/pid; do
    read -r leader start _ < "$file" || continue
    read -r line < "/proc/$leader/stat" || continue
    # shellcheck disable=SC2086 # to be split
    set -- "$1" ${line##*) }
    [ "$2" != Z ] && [ "${21}" = "$start" ] && return 0
  done 2> /dev/null
  return 1
}

stand() {
  : > standing
  while [ ! -e release ]; do
    # Kernels of boards keep no wall clock: seconds since boot do not jump.
    read -r heard < lease || heard=0
    [ $(($(uptime_s) - ${heard%.*})) -gt "$2" ] && ! is_busy "$1" && break
    sleep 1
  done 2> /dev/null
  restore
}

cd "$1" || exit 1
if [ "$4" = --stand ]; then
  stand "$2" "$3"
  exit 0
fi
program=$0
case $program in /*) ;; *) program=$OLDPWD/$program ;; esac
# What an earlier host asked for is put back first, so that its values are not taken for the board's.
[ -e before ] && [ ! -e restored ] && restore
rm -f before restored release standing before.part
cat > wanted
while read -r path value; do
  read -r was < "$path" && printf '%s %s\n' "$path" "$was"
done < wanted > before.part 2> set.log
mv -f before.part before
uptime_s > lease
# Deaf before it is another program: what is ignored stays so through an exec.
(
  trap '' HUP INT TERM
  if command -v setsid > /dev/null; then exec setsid sh "$program" "$1" "$2" "$3" --stand; fi
  exec nohup sh "$program" "$1" "$2" "$3" --stand
) > stand.log 2>&1 < /dev/null &
# Nothing is set before there is somebody to put it back.
tries=0
while [ ! -e standing ]; do
  tries=$((tries + 1))
  [ "$tries" -gt 200 ] && { cat stand.log >&2; exit 1; }
  sleep 0.05 2> /dev/null || sleep 1
done
while read -r path value; do
  printf '%s\n' "$value" > "$path"
  read -r is < "$path" && printf '%s %s\n' "$path" "$is"
done < wanted 2>> set.log
:

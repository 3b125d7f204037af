#!/bin/sh
# Set files of the kernel's, and what a few programs set, for as long as a host measures, and put
# everything back whatever happens:
#
#     sh guard.sh FOLDER JOBS LEASE_S < SETTINGS
#
# SETTINGS has a line "NAME VALUE" for each: a path, or `nvpmodel` (a mode's number),
# `jetson_clocks` (locked), `nvfancontrol` (inactive); of a phone `stay_on`, `screen_off_ms`,
# `wakefulness` (Awake), `fixed_performance` (true), which Android tells nobody: it is off unless we
# turned it on. The value `-` leaves a file as it is, for what another setting changes with it. What cannot be read is not set. Prints "NAME VALUE" as each
# reads afterwards, and returns; a session of its own stays, and puts everything back when
# FOLDER/release appears, or when the host has not touched FOLDER/lease for LEASE_S seconds and no
# job of the folder JOBS runs any more: a host that was killed, or a link that broke, leaves a board
# as it was. In FOLDER:
#   before    what each read before anything was changed; `clocks` is what jetson_clocks stored
#   boot      by which boot of the kernel it stands
#   lease     seconds since boot when the host was last heard of
#   standing  appears once there is somebody who will put everything back
#   restored  appears once everything is back; restore.log says what is not
#
# POSIX sh and nothing more: dash, busybox, toybox.

# Root writes here what the login user reads; the folder itself is closed to others.
umask 022

# Where nvpmodel lies.
PATH=$PATH:/usr/sbin:/sbin

uptime_s() {
  read -r now _ < /proc/uptime
  printf '%s\n' "${now%.*}"
}

# Whether the lowest clock of every core that is on, and of the GPU, is its highest.
is_locked() {
  jetson_clocks --show < /dev/null |
    sed -n -e '/Online=0/d' \
      -e 's/^cpu[0-9]*: .*MinFreq=\([0-9]*\) MaxFreq=\([0-9]*\) .*/\1 \2/p' \
      -e 's/^GPU MinFreq=\([0-9]*\) MaxFreq=\([0-9]*\) .*/\1 \2/p' | {
    seen=no
    while read -r low high; do
      [ "$low" = "$high" ] || exit 1
      seen=yes
    done
    [ $seen = yes ]
  }
}

# What a setting is; nothing, where it cannot be read.
look() {
  case $1 in
    nvpmodel) nvpmodel -q < /dev/null | sed -n 's/^\([0-9][0-9]*\)$/\1/p' | tail -n 1 ;;
    jetson_clocks)
      command -v jetson_clocks > /dev/null || return 1
      if is_locked; then echo locked; else echo free; fi
      ;;
    nvfancontrol) systemctl is-active nvfancontrol < /dev/null ;;
    stay_on) settings get global stay_on_while_plugged_in < /dev/null ;;
    screen_off_ms) settings get system screen_off_timeout < /dev/null ;;
    wakefulness) dumpsys power < /dev/null | sed -n 's/^ *mWakefulness=//p' | head -n 1 ;;
    fixed_performance) if [ -e fixed ]; then cat fixed; else echo false; fi ;;
    *) read -r line < "$1" && printf '%s\n' "$line" ;;
  esac
}

# A setting of Android's in a table of its own; one that nobody had set is nobody's again.
put_setting() {
  if [ "$3" = null ]; then
    settings delete "$1" "$2" < /dev/null >&2
  else
    settings put "$1" "$2" "$3" < /dev/null >&2
  fi
}

# No program has anything to read: one that asks whether it may reboot is not answered.
put() {
  case $1,$2 in
    nvpmodel,*) nvpmodel -m "$2" < /dev/null >&2 ;;
    jetson_clocks,locked) jetson_clocks < /dev/null >&2 ;;
    jetson_clocks,*) jetson_clocks --restore "$PWD/clocks" < /dev/null >&2 ;;
    nvfancontrol,active) systemctl start nvfancontrol < /dev/null >&2 ;;
    nvfancontrol,*) systemctl stop nvfancontrol < /dev/null >&2 ;;
    stay_on,*) put_setting global stay_on_while_plugged_in "$2" ;;
    screen_off_ms,*) put_setting system screen_off_timeout "$2" ;;
    # What it then says of itself is true a moment later.
    wakefulness,Awake) input keyevent KEYCODE_WAKEUP < /dev/null >&2 && sleep 1 ;;
    wakefulness,*) input keyevent KEYCODE_SLEEP < /dev/null >&2 ;;
    fixed_performance,*)
      cmd power set-fixed-performance-mode-enabled "$2" < /dev/null >&2 && echo "$2" > fixed
      ;;
    *) printf '%s\n' "$2" > "$1" ;;
  esac
}

restore() {
  while read -r name value; do
    put "$name" "$value"
  done < before > restore.words 2>&1
  while read -r name value; do
    # A fan's speed and a clock's limit are soon others again, where heat governs them; a phone that
    # falls asleep does so by and by.
    case $name in *pwm* | *_freq | wakefulness) continue ;; esac
    is=$(look "$name" 2> /dev/null)
    [ "$is" = "$value" ] || printf '%s is %s and was %s\n' "$name" "$is" "$value"
  done < before > restore.log
  [ -s restore.log ] && tail -c 300 restore.words >> restore.log
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
rm -f before restored release standing before.part clocks wanted fixed
while read -r name value; do
  was=$(look "$name" 2> /dev/null)
  [ -n "$was" ] || continue
  [ "$name" = jetson_clocks ] && jetson_clocks --store "$PWD/clocks" < /dev/null >&2
  printf '%s %s\n' "$name" "$was" >&3
  printf '%s %s\n' "$name" "$value"
done > wanted 2> set.log 3> before.part
mv -f before.part before
uptime_s > lease
cat /proc/sys/kernel/random/boot_id > boot 2> /dev/null
# A power mode outlives a power cut; what it was before must do so too.
sync
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
while read -r name value; do
  [ "$value" = - ] || put "$name" "$value"
done < wanted 2>> set.log
while read -r name _; do
  printf '%s %s\n' "$name" "$(look "$name")"
done < wanted 2> /dev/null
tail -c 300 set.log >&2
:

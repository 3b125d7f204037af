"""How a board is set up while it is asked: what a login user may read, and nobody needs root for.

https://docs.kernel.org/admin-guide/pm/cpufreq.html, https://docs.kernel.org/admin-guide/pm/cpuidle.html
https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/SD/PlatformPowerAndPerformance/JetsonOrinNanoSeriesJetsonOrinNxSeriesAndJetsonAgxOrinSeries.html
"""

from collections.abc import Mapping
from typing import Final

from edgebench.device import clock_readers as clock
from edgebench.device import fact_readers as read
from edgebench.device import state_readers as state
from edgebench.device.fact import Fact
from edgebench.device.listed import listed

CPU: Final = "/sys/devices/system/cpu"
# nvpmodel lies where an ordinary login of some systems does not look.
SBIN: Final = "PATH=$PATH:/usr/sbin:/sbin;"


# The temperatures from which on the kernel slows the processor down.
_TRIPS: Final = """
for zone in /sys/class/thermal/thermal_zone*; do
  for kind in "$zone"/trip_point_*_type; do
    [ -r "$kind" ] && read -r v < "$kind" && [ "$v" = passive ] &&
      echo "$(cat "$zone/type") $(cat "${kind%_type}_temp")"
  done
done
"""

# What a policy's clock is now, a fan's speed and a screen that blanks change by themselves: they
# are facts, and in no fingerprint.
STATE_FACTS: Final[Mapping[str, Fact]] = {
    "cpu_count": Fact(
        command="nproc || getconf _NPROCESSORS_ONLN", read=read.integer, part="state"
    ),
    "frequency_policies": Fact(
        command=listed(
            f"{CPU}/cpufreq/policy*/related_cpus {CPU}/cpufreq/policy*/scaling_governor "
            f"{CPU}/cpufreq/policy*/scaling_min_freq {CPU}/cpufreq/policy*/scaling_max_freq "
            f"{CPU}/cpufreq/policy*/scaling_available_frequencies"
        ),
        read=clock.policies,
        part="state",
    ),
    "frequency_now_hz": Fact(
        command=listed(f"{CPU}/cpufreq/policy*/scaling_cur_freq"), read=clock.clocks_hz
    ),
    "governors_available": Fact(
        command=listed(f"{CPU}/cpufreq/policy*/scaling_available_governors"), read=clock.governors
    ),
    "clusters": Fact(
        command=listed(
            f"{CPU}/online {CPU}/cpu[0-9]*/cpu_capacity {CPU}/cpufreq/policy*/related_cpus "
            f"{CPU}/cpufreq/policy*/cpuinfo_min_freq {CPU}/cpufreq/policy*/cpuinfo_max_freq"
        ),
        read=clock.clusters,
        part="state",
    ),
    "cpus_offline": Fact(command=listed(f"{CPU}/present {CPU}/online"), read=clock.cpus_offline),
    "boost": Fact(
        command=listed(f"{CPU}/cpufreq/boost {CPU}/intel_pstate/no_turbo"),
        read=clock.boost,
        part="state",
    ),
    "idle_states": Fact(
        command=listed(f"{CPU}/cpu0/cpuidle/state*/name {CPU}/cpu0/cpuidle/state*/disable"),
        read=clock.idle_states,
        part="state",
    ),
    "power_mode": Fact(command=f"{SBIN} nvpmodel -q", read=state.power_mode, part="state"),
    "power_modes": Fact(
        command="grep -E '^<[[:space:]]*POWER_MODEL' /etc/nvpmodel.conf",
        read=state.power_modes,
        part="sw",
    ),
    "clocks_locked": Fact(
        command=listed(
            f"{CPU}/cpufreq/policy*/scaling_min_freq {CPU}/cpufreq/policy*/scaling_max_freq "
            "/sys/class/devfreq/*/min_freq /sys/class/devfreq/*/max_freq"
        ),
        read=clock.clocks_locked,
        part="state",
    ),
    "fan_control": Fact(
        command="systemctl is-active nvfancontrol", read=state.service, part="state"
    ),
    "fan_pwm": Fact(
        command=listed("/sys/class/hwmon/hwmon*/pwm1 /sys/devices/pwm-fan/target_pwm"),
        read=state.pwms,
    ),
    "thermal_trips_c": Fact(command=_TRIPS, read=state.trips),
    "throttled": Fact(command="vcgencmd get_throttled", read=state.throttled),
    "over_current_events": Fact(
        command=listed("/sys/class/hwmon/hwmon*/oc[1-3]_event_cnt"), read=state.counts
    ),
    "aslr": Fact(
        command="cat /proc/sys/kernel/randomize_va_space", read=read.integer, part="state"
    ),
    "huge_pages": Fact(
        command="cat /sys/kernel/mm/transparent_hugepage/enabled", read=state.chosen, part="state"
    ),
    "swaps": Fact(command="cat /proc/swaps", read=state.swaps, part="state"),
    "swap_used_bytes": Fact(command="cat /proc/swaps", read=state.swap_used_bytes),
    "supply": Fact(command="vcgencmd pmic_read_adc EXT5V_V", read=state.supply, part="state"),
    "power_source": Fact(
        command=listed(
            "/sys/class/power_supply/*/type /sys/class/power_supply/*/online "
            "/sys/class/power_supply/*/status"
        ),
        read=state.power_source,
        part="state",
    ),
    "screen": Fact(
        command=listed("/sys/class/drm/card*-*/status /sys/class/drm/card*-*/dpms"),
        read=state.screen,
    ),
}

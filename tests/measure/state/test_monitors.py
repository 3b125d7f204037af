"""What each monitor says of a process, by readings in the formats of real boards."""

from dataclasses import replace

import pytest

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.measure.state import frequency, load, temperature, throttling
from edgebench.measure.state.monitor import Finding, Seen
from edgebench.measure.state.monitors import MONITORS, judged
from edgebench.measure.watch import Reading
from tests.measure.state.conftest import BEGIN, END, QUIET, SECOND

PROFILE = DeviceProfile(name="board", description="", url="", runtimes=("litert",))
ZONE = "/sys/class/thermal/thermal_zone0"
PI_ZONE = {
    f"{ZONE}/type": "cpu-thermal\n",
    f"{ZONE}/temp": "47200\n",
    f"{ZONE}/trip_point_0_type": "critical\n",
    f"{ZONE}/trip_point_0_temp": "110000\n",
    f"{ZONE}/trip_point_1_type": "passive\n",
    f"{ZONE}/trip_point_1_temp": "80000\n",
    "/sys/class/thermal/thermal_zone1/type": "battery\n",
    "/sys/class/thermal/thermal_zone1/temp": "31000\n",
    "/sys/class/thermal/thermal_zone2/type": "gpu-thermal\n",
    "/sys/class/thermal/thermal_zone2/temp": "-256000\n",
}
ANDROID = """IsStatusOverride: false
Thermal Status: {status}
Cached temperatures:
\tTemperature{{mValue=91.0, mType=0, mName=CPU, mStatus=0}}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{{mValue={cpu}, mType=0, mName=CPU, mStatus=0}}
\tTemperature{{mValue=33.5, mType=2, mName=BATTERY, mStatus=0}}
\tTemperature{{mValue=36.1, mType=3, mName=SKIN, mStatus=0}}
Temperature static thresholds from HAL:
"""


def armed(name, files=None, *, tools=(), profile=PROFILE):
    listing = Listing(files=files or {}, tools=frozenset(tools))
    return MONITORS[name].arm(listing, profile)


@pytest.mark.parametrize(
    ("millidegrees", "suspect", "invalid"),
    [
        ([61000, 70000, 62000], (), ()),
        ([61000, 75500, 62000], (Reason.THROTTLED,), ()),
        ([61000, 80000, 62000], (), (Reason.THROTTLED,)),
    ],
)
def test_a_passive_trip_point_decides_what_is_too_hot(seen, millidegrees, suspect, invalid):
    watch = armed("temperature", PI_ZONE)
    assert [source.path for source in watch.sources] == [f"{ZONE}/temp"]
    name = watch.sources[0].name
    found = watch.judge(seen({name: [f"{value}\n" for value in millidegrees]}))
    assert found.facts == {"temp_max_c": {"cpu-thermal": max(millidegrees) / 1000}}
    assert (found.suspect, found.invalid) == (suspect, invalid)


def test_where_the_kernel_names_no_trip_point_the_profile_does(seen):
    files = {key: text for key, text in PI_ZONE.items() if "trip" not in key}
    bare = armed("temperature", files)
    assert bare.judge(seen({bare.sources[0].name: ["95000"] * 3})).invalid == ()
    known = armed("temperature", files, profile=replace(PROFILE, temp_passive_c=85.0))
    assert known.judge(seen({known.sources[0].name: ["95000"] * 3})).invalid == (Reason.THROTTLED,)


@pytest.mark.parametrize(
    ("masks", "invalid"),
    [
        (["0x0", "0x0", "0x0"], ()),
        # Set since the boot, and quiet now.
        (["0x50000", "0x50000", "0x50000"], ()),
        (["0x0", "0x50005", "0x50000"], (Reason.UNDERVOLTAGE, Reason.THROTTLED)),
        (["0x0", "0x8", "0x80000"], (Reason.THROTTLED,)),
        # Between two polls: only the bit that stays tells of it.
        (["0x0", "0x0", "0x10000"], (Reason.UNDERVOLTAGE,)),
        (["0x10000", "0x10000", "0x50000"], (Reason.THROTTLED,)),
    ],
)
def test_a_pi_that_throttled_spoils_the_process(seen, masks, invalid):
    watch = armed("raspberry-pi", tools=["vcgencmd"])
    texts = {watch.sources[0].name: [f"throttled={mask}\n" for mask in masks]}
    assert watch.judge(seen(texts)).invalid == invalid


def test_a_pi_that_does_not_answer_is_not_called_well(seen):
    watch = armed("raspberry-pi", tools=["vcgencmd"])
    found = watch.judge(seen({watch.sources[0].name: ["error=1 error_msg=\n"] * 2}))
    assert found == Finding(suspect=(Reason.SENSOR_GAP,))


def test_a_state_that_nobody_could_read_is_a_doubt(seen):
    watches = [armed("temperature", PI_ZONE), armed("scheduling")]
    assert judged(watches, seen()).suspect == (Reason.SENSOR_GAP,)
    read = {watches[0].sources[0].name: ["47000\n"] * 2}
    assert judged(watches, seen(read)).suspect == ()


@pytest.mark.parametrize(
    ("name", "counts", "invalid"),
    [
        ("oc1_event_cnt", ["4\n", "4\n", "4\n"], ()),
        ("oc1_event_cnt", ["4\n", "4\n", "5\n"], (Reason.UNDERVOLTAGE,)),
        ("oc3_event_cnt", ["0\n", "9\n", "9\n"], (Reason.OVERCURRENT,)),
    ],
)
def test_a_jetson_counts_its_over_currents(seen, name, counts, invalid):
    watch = armed("jetson", {f"/sys/class/hwmon/hwmon3/{name}": "0\n"})
    found = watch.judge(seen({watch.sources[0].name: counts}))
    assert found.invalid == invalid
    assert found.facts["over_current_events"] == {name: int(counts[-1]) - int(counts[0])}


@pytest.mark.parametrize(
    ("statuses", "suspect", "invalid"),
    [
        ([0, 0, 0], (), ()),
        ([0, 1, 0], (Reason.THROTTLED,), ()),
        ([0, 2, 1], (), (Reason.THROTTLED,)),
    ],
)
def test_a_phone_says_how_it_feels_and_its_cache_is_not_read(seen, statuses, suspect, invalid):
    watch = armed("android", tools=["dumpsys"])
    texts = [ANDROID.format(status=status, cpu=50 + n) for n, status in enumerate(statuses)]
    found = watch.judge(seen({watch.sources[0].name: texts}))
    assert (found.suspect, found.invalid) == (suspect, invalid)
    assert found.facts["temp_max_c"] == {"CPU": 52.0, "SKIN": 36.1}


def ticks(low, middle, top):
    return f"600000 {low}\n1500000 {middle}\n1800000 {top}\n"


@pytest.mark.parametrize(
    ("last", "suspect"),
    [
        (ticks(500, 210, 1090), ()),
        (ticks(510, 200, 1090), (Reason.FREQ_UNSTABLE,)),
        (ticks(500, 200, 1005), ()),
    ],
    ids=["the top two", "a tenth below", "too short to say"],
)
def test_a_clock_that_fell_is_a_doubt(seen, last, suspect):
    policy = "/sys/devices/system/cpu/cpufreq/policy0"
    files = {f"{policy}/stats/time_in_state": "", f"{policy}/related_cpus": "0 1 2 3\n"}
    watch = armed("frequency", files)
    found = watch.judge(seen({watch.sources[0].name: [ticks(500, 200, 1000), last]}))
    assert found.suspect == suspect


def test_the_clock_of_cores_that_were_not_used_says_nothing(seen):
    policies = "/sys/devices/system/cpu/cpufreq/policy"
    files = {
        f"{policies}0/stats/time_in_state": "",
        f"{policies}0/related_cpus": "0-3",
        f"{policies}4/stats/time_in_state": "",
        f"{policies}4/related_cpus": "4-7",
    }
    watch = armed("frequency", files)
    texts = {
        "time_in_state policy0": [ticks(0, 0, 0), ticks(200, 0, 0)],
        "time_in_state policy4": [ticks(0, 0, 0), ticks(0, 0, 200)],
    }
    assert watch.judge(seen(texts, cpus=(4, 5))).facts == {"full_clock_ratio": 1.0}
    assert watch.judge(seen(texts, cpus=(0,))).suspect == (Reason.FREQ_UNSTABLE,)


def test_the_governor_is_the_one_that_stood_meanwhile(seen):
    policy = "/sys/devices/system/cpu/cpufreq/policy0"
    watch = armed("frequency", {f"{policy}/scaling_governor": "performance\n"})
    (source,) = watch.sources
    kept = watch.judge(seen({source.name: ["performance\n"] * 2}))
    assert kept.facts == {"governor": "performance"}
    lost = watch.judge(seen({source.name: ["performance\n", "ondemand\n"]}))
    assert lost.facts == {"governor": "ondemand+performance"}


def stat(user, idle, steal):
    return f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


@pytest.mark.parametrize(
    ("last", "suspect", "others"),
    [
        (stat(200, 200, 0), (), 0.0),
        (stat(260, 140, 0), (Reason.CONTENDED,), 0.3),
        (stat(200, 190, 10), (Reason.CONTENDED,), 0.0),
    ],
    ids=["alone", "a neighbour", "stolen"],
)
def test_who_else_was_at_work_is_a_doubt(seen, last, suspect, others):
    watch = armed("others", {"/proc/stat": "cpu"})
    found = watch.judge(seen({"stat": [stat(0, 0, 0), last]}))
    assert found.suspect == suspect
    assert found.facts["others_cores"] == pytest.approx(others, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "suspect"),
    [
        ({}, ()),
        ({"wait_ns": 20_000_000}, (Reason.CONTENDED,)),
        ({"involuntary_switches": 20}, (Reason.CONTENDED,)),
        ({"major_faults": 1}, (Reason.SWAP,)),
        ({"wait_ns": None, "run_ns": None}, ()),
    ],
    ids=str,
)
def test_a_runner_that_had_to_wait_is_a_doubt(seen, changes, suspect):
    watch = armed("scheduling")
    assert watch.judge(seen(scheduling=replace(QUIET, **changes))).suspect == suspect


@pytest.mark.parametrize(
    ("after", "suspect"),
    [(10_200_000, ()), (10_400_000, (Reason.FREQ_UNSTABLE,)), (9_600_000, (Reason.FREQ_UNSTABLE,))],
)
def test_a_canary_that_changed_is_a_doubt(seen, after, suspect):
    assert armed("canary").judge(seen(canary=(10_000_000, after))).suspect == suspect


@pytest.mark.parametrize(("pages", "suspect"), [(0, ()), (3, (Reason.SWAP,))])
def test_pages_from_swap_are_a_doubt(seen, pages, suspect):
    watch = armed("swapping", {"/proc/vmstat": ""})
    texts = [f"nr_free_pages 9\npswpin {n}\npswpout 7\n" for n in (5, 5 + pages)]
    assert watch.judge(seen({"vmstat": texts})).suspect == suspect


@pytest.mark.parametrize("name", sorted(set(MONITORS) - {"scheduling", "canary"}))
def test_a_board_that_has_none_of_it_is_not_watched(name):
    assert armed(name) is None


@pytest.mark.parametrize("name", sorted(MONITORS))
@pytest.mark.parametrize(
    "text", ["", "\x00\xff", "-1", "9" * 400, "cpu  x y z\n", "throttled=0xzz"]
)
def test_nonsense_from_a_device_is_no_finding(seen, name, text):
    files = {
        **PI_ZONE,
        "/proc/stat": "",
        "/proc/vmstat": "",
        "/sys/class/hwmon/hwmon0/oc1_event_cnt": "",
        "/sys/devices/system/cpu/cpufreq/policy0/stats/time_in_state": "",
    }
    watch = armed(name, files, tools=["vcgencmd", "dumpsys"])
    found = watch.judge(seen({source.name: [text] * 3 for source in watch.sources}))
    assert found.invalid == ()


def test_a_counter_is_read_from_just_before_to_just_after_the_samples(seen):
    times = (1, 9, 10, 11, 12, 99)
    readings = tuple(Reading(time_ns=t * SECOND, text=str(t)) for t in times)
    state = seen().state
    looked = Seen(readings={"a": readings}, state=state, samples=1)
    ((_, around),) = looked.of("a")
    assert [r.time_ns // SECOND for r in around] == [9, 10, 11, 12]
    assert (state.begin_ns, state.end_ns) == (BEGIN, END)


def test_what_spoils_a_process_is_not_also_a_doubt(seen):
    watches = [armed("raspberry-pi", tools=["vcgencmd"]), armed("temperature", PI_ZONE)]
    texts = {
        throttling.PI_SOURCE: ["throttled=0x4\n"] * 3,
        f"{temperature.PREFIX}cpu-thermal": ["76000\n"] * 3,
    }
    found = judged(watches, seen(texts))
    assert (found.suspect, found.invalid) == ((), (Reason.THROTTLED,))
    assert set(found.facts) == {"temp_max_c", "throttled_before", "throttled_after"}


def test_the_readers_have_their_limits():
    assert frequency.top_share([]) is None
    assert load.cpu_ticks("cpu  1 2 3\n") is None

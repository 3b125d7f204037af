"""What boards say, in their own formats, with numbers of our own."""

from edgebench.device.look import Listing
from edgebench.measure.watch import Reading

SECOND = 10**9
PERIOD = SECOND // 10


def listing(files=None, *, closed=(), tools=()):
    return Listing(files=files or {}, closed=frozenset(closed), tools=frozenset(tools))


def readings(*texts, begin_ns=SECOND, period_ns=PERIOD):
    return tuple(
        Reading(time_ns=begin_ns + i * period_ns, text=text) for i, text in enumerate(texts)
    )


def pmic(core_a=2.0, *, supply_v=5.08, dac_a=0.0004, extra="", without=""):
    """A Pi 5: rows of A before rows of V, numbered apart, two voltages without a current."""
    rows = f"""\
 3V7_WL_SW_A current(0)=0.00100000A
   3V3_SYS_A current(1)=0.05000000A
  DDR_VDDQ_A current(4)=0.00000000A
  VDD_CORE_A current(7)={core_a:.8f}A
   3V3_DAC_A current(17)={dac_a:.8f}A
      HDMI_A current(22)=0.02000000A
 3V7_WL_SW_V volt(8)=3.70000000V
   3V3_SYS_V volt(9)=3.30000000V
  DDR_VDDQ_V volt(12)=0.60000000V
  VDD_CORE_V volt(15)=0.90000000V
   3V3_DAC_V volt(20)=3.30000000V
      HDMI_V volt(23)=5.00000000V
     EXT5V_V volt(24)={supply_v:.8f}V
      BATT_V volt(25)=3.01000000V
{extra}"""
    return "\n".join(row for row in rows.splitlines() if not without or without not in row)


# Of `pmic()` without the core.
PMIC_REST_W = 0.001 * 3.7 + 0.05 * 3.3 + 0.0004 * 3.3 + 0.02 * 5.0

ORIN = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2"
ORIN_AO = "/sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon3"


def ina3221(folder, *rails):
    """A chip with its three channels, and the sum of its shunts, which is no rail."""
    files = {f"{folder}/in7_label": "Sum of shunt voltages\n"}
    for channel, (label, millivolts, milliamperes) in enumerate(rails, 1):
        files[f"{folder}/in{channel}_label"] = f"{label}\n"
        files[f"{folder}/in{channel}_input"] = f"{millivolts}\n"
        files[f"{folder}/curr{channel}_input"] = f"{milliamperes}\n"
        files[f"{folder}/shunt{channel}_resistor"] = "5000\n"
    return files


TEGRASTATS = {
    "nano, JetPack 4": (
        "RAM 702/3964MB (lfb 512x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) "
        "CPU [12%@1479,8%@1479,off,off] EMC_FREQ 3% GR3D_FREQ 0% PLL@33C PMIC@100C GPU@34.5C "
        "thermal@34.2C POM_5V_IN 2105/1988 POM_5V_GPU 41/20 POM_5V_CPU 533/490",
        2.105,
        ("POM_5V_IN",),
    ),
    "AGX Xavier, JetPack 4": (
        "RAM 1200/15692MB (lfb 3251x4MB) CPU [1%@1190,off,off,off] EMC_FREQ 0% GR3D_FREQ 0% "
        "AO@32.5C GPU@32C PMIC@100C GPU 101/90 CPU 302/290 SOC 803/790 CV 4/0 VDDRQ 105/100 "
        "SYS5V 1706/1700",
        3.021,
        ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
    ),
    "AGX Orin, JetPack 5": (
        "04-05-2024 11:00:01 RAM 3000/30536MB (lfb 5392x4MB) SWAP 0/15268MB (cached 0MB) "
        "CPU [1%@729,2%@729,off] EMC_FREQ 0%@204 GR3D_FREQ 0%@0 NVJPG1 729 VIC_FREQ 115 APE 233 "
        "CV0@-256C CPU@40.5C tj@41C VDD_GPU_SOC 2401mW/2380mW VDD_CPU_CV 801mW/800mW "
        "VIN_SYS_5V0 3503mW/3490mW NC 0mW/0mW VDDQ_VDD2_1V8AO 299mW/300mW NC 0mW/0mW",
        6.705,
        ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ),
    "AGX Orin, JetPack 7": (
        "01-02-2026 08:00:00 RAM 9000/62780MB (lfb 424x4MB) SWAP 0/31390MB (cached 0MB) "
        "CPU [90%@2201,off] EMC_FREQ 1%@2133 GR3D_FREQ 12%@[1300,1300] NVDLA0_FREQ @1600 APE 174 "
        "cpu@52.9C/52.9C tj@53.1C/53C VDD_GPU_SOC 5102mW/5090mW/5100mW "
        "VDD_CPU_CV 1004mW/1000mW/1001mW VIN_SYS_5V0 4006mW/4000mW/4001mW",
        10.112,
        ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ),
    "Orin Nano, JetPack 6": (
        "03-04-2025 09:10:11 RAM 4100/7620MB (lfb 8x2MB) SWAP 1/3810MB (cached 0MB) "
        "CPU [15%@729,off] EMC_FREQ 43%@2133 GR3D_FREQ 63%@[621] NVDEC off VIC off APE 200 "
        "cpu@50.1C gpu@50.2C VDD_IN 7104mW/7000mW VDD_CPU_GPU_CV 2003mW/2000mW "
        "VDD_SOC 1800mW/1810mW",
        7.104,
        ("VDD_IN",),
    ),
}


def odpm(time_ms, *rails):
    rows = [f"CH{i}(T={time_ms})[{rail}], {uj}" for i, (rail, uj) in enumerate(rails)]
    return "\n".join([f"t={time_ms}", *rows, ""])


def power_stats(*rails, delta=True):
    """The HAL's table, whose first call has no deltas; names are padded on the left."""
    head = "\n============= PowerStats HAL 2.0 energy meter ==============\n"
    rows = [
        f"  {f'[{rail}]:{who}':>32}   {mws:14.2f} mWs" + (f" ({1.0:14.2f})" if delta else "")
        for rail, who, mws in rails
    ]
    title = "Elapsed time: 500 ms\n" if delta else ""
    end = "\n========== End of PowerStats HAL 2.0 energy meter ==========\n"
    return head + title + "\n".join(rows) + end


def uevent(current=-410_000, voltage=3_950_000, status="Discharging"):
    return (
        "POWER_SUPPLY_NAME=battery\n"
        f"POWER_SUPPLY_STATUS={status}\n"
        "POWER_SUPPLY_CAPACITY=61\n"
        "POWER_SUPPLY_VOLTAGE_MAX=4400000\n"
        f"POWER_SUPPLY_VOLTAGE_NOW={voltage}\n"
        f"POWER_SUPPLY_CURRENT_NOW={current}\n"
        "POWER_SUPPLY_TEMP=301\n"
    )


def dumpsys_battery(*, usb="false", status=3, wireless=True, log=""):
    """`dumpsys battery`; some phones have no line of Wireless, some append an old log."""
    rows = [
        "Current Battery Service state:",
        "  AC powered: false",
        f"  USB powered: {usb}",
        *(["  Wireless powered: false"] if wireless else []),
        "  Max charging current: 0",
        "  Charge counter: 2100000",
        f"  status: {status}",
        "  level: 61",
        "  voltage: 3950",
        "  temperature: 301",
        "  technology: Li-ion",
    ]
    return "\n".join([*rows, log])

"""Plugs that run Tasmota.

https://tasmota.github.io/docs/Commands/ (`Status 8`, `WattRes`)

Watts are whole until `WattRes 3` is set, which is what a plug needs to be of use here.
"""

from decimal import Decimal
from typing import Any, Final

from edgebench.measure.meters.plug import PERIOD_S, Plug

PATH: Final = "/cm?cmnd=Status%208"


def watts(document: Any) -> Decimal:  # noqa: ANN401  # JSON enters here
    """The power in an answer; of a plug with several sockets, that of all of them.

    >>> watts({"StatusSNS": {"ENERGY": {"Power": Decimal("26.5")}}})
    Decimal('26.5')
    """
    power = document["StatusSNS"]["ENERGY"]["Power"]
    return sum(power, Decimal(0)) if isinstance(power, list) else power


def tasmota(url: str, *, period_s: float = PERIOD_S) -> Plug:
    """A plug by its address."""
    return Plug("tasmota", url, PATH, watts, period_s=period_s)

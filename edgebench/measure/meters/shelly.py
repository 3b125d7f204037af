"""Plugs by Shelly, of either generation.

https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Switch (`Switch.GetStatus`)
https://shelly-api-docs.shelly.cloud/gen1/#shelly-plug-plugs (`/status`)
"""

from decimal import Decimal
from typing import Any, Final

from edgebench.measure.meters.plug import PERIOD_S, Plug

GEN1_PATH: Final = "/status"
GEN2_PATH: Final = "/rpc/Switch.GetStatus?id=0"


def gen1_watts(document: Any) -> Decimal:  # noqa: ANN401  # JSON enters here
    """The power in an answer of the first generation.

    >>> gen1_watts({"meters": [{"power": Decimal("8.42")}]})
    Decimal('8.42')
    """
    power: Decimal = document["meters"][0]["power"]
    return power


def gen2_watts(document: Any) -> Decimal:  # noqa: ANN401  # JSON enters here
    """The power in an answer of the second generation and later ones.

    >>> gen2_watts({"apower": Decimal("8.9"), "aenergy": {"total": Decimal("6.532")}})
    Decimal('8.9')
    """
    power: Decimal = document["apower"]
    return power


def shelly_gen1(url: str, *, period_s: float = PERIOD_S) -> Plug:
    """A plug of the first generation by its address."""
    return Plug("shelly-gen1", url, GEN1_PATH, gen1_watts, period_s=period_s)


def shelly(url: str, *, period_s: float = PERIOD_S) -> Plug:
    """A plug of the second generation or later by its address."""
    return Plug("shelly", url, GEN2_PATH, gen2_watts, period_s=period_s)

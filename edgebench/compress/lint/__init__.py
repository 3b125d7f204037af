"""What is pointless about a recipe before it costs any training or device time.

All rules are from documents, and from measurements on other machines: they doubt, the device
decides. A plan silences a rule by its name.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from edgebench.compress.lint import forms, layers, weights
from edgebench.compress.lint.rule import Doubt, Place, Rule
from edgebench.core import DeviceProfile, Format, Recipe

__all__ = ["RULES", "Doubt", "Place", "Rule", "doubts"]

RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule for rule in (*forms.RULES, *weights.RULES, *layers.RULES)
}


def doubts(
    recipe: Recipe,
    target: Format,
    *,
    boards: tuple[DeviceProfile, ...] = (),
    silence: Collection[str] = (),
) -> Iterator[Doubt]:
    """What is likely to disappoint about a recipe in this format.

    Args:
        boards: Kinds of boards that the variant is to run on; where none is named, or a profile
            does not say what a rule asks, its sentence has an "if".
        silence: Names of rules that are not asked.
    """
    said: set[Doubt] = set()
    for index in range(len(recipe.steps)):
        place = Place(recipe=recipe, index=index, target=target, boards=boards)
        for rule in RULES.values():
            for text in rule.check(place) if rule.name not in silence else ():
                doubt = Doubt(rule=rule.name, text=text, source=rule.source)
                if doubt not in said:
                    said.add(doubt)
                    yield doubt

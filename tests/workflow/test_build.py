"""In which order variants are made."""

from edgebench.core import Format, Recipe, Step
from edgebench.workflow.build import Form, spread

PRUNE, CLUSTER = Step(name="prune", value="80 %"), Step(name="cluster", value=16)
FILTERS = Step(name="filters", value="50 %")


def test_who_shares_a_first_step_comes_after_all_who_have_their_own():
    recipes = [
        Recipe(name="pruned", steps=(PRUNE,)),
        Recipe(name="clustered", steps=(PRUNE, CLUSTER)),
        Recipe(name="smaller", steps=(FILTERS,)),
        Recipe(name="other", steps=(Step(name="prune", value="80 %", options={"seed": 1}),)),
    ]
    forms: list[Form] = [(recipe, form, frozenset()) for form in Format for recipe in recipes]
    order = spread(forms)
    assert [recipe.name for recipe, _, _ in order[:4]] == [
        "pruned",
        "smaller",
        "other",
        "clustered",
    ]
    assert sorted(order, key=str) == sorted(forms, key=str)

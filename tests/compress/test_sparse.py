import pytest

from edgebench.compress.sparse import check_sparse
from edgebench.core import Step
from edgebench.errors import ConfigError


def test_there_is_one_encoding():
    check_sparse(Step(name="sparse", value="encode"))


@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        ("csr", {}, "There is no 'sparse csr'"),
        (True, {}, "There is no 'sparse True'"),
        ("encode", {"tune": "3 epochs"}, "has no option tune"),
        ("encode", {"skip": ["conv"]}, "has no option skip"),
    ],
)
def test_anything_else_is_refused(value, options, words):
    with pytest.raises(ConfigError, match=words):
        check_sparse(Step(name="sparse", value=value, options=options))

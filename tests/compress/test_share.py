import pytest

from edgebench.compress.share import check_share, read_share
from edgebench.core import Step
from edgebench.errors import ConfigError


def test_identical_weights_or_a_list_of_layers_are_shared():
    assert read_share(Step(name="share", value="identical"))[0].layers is None
    listed = read_share(Step(name="share", value=["conv2", "conv3"]))[0]
    assert listed.layers == ("conv2", "conv3")


@pytest.mark.parametrize(
    ("value", "options", "words"),
    [
        ("conv2", {}, "There is no 'share conv2'"),
        ([], {}, "There is no 'share"),
        (["("], {}, "'\\(' is no regular expression"),
        (2, {}, "There is no 'share 2'"),
        ("identical", {"only": ["conv"]}, "'share' has no option only"),
    ],
)
def test_other_words_are_refused(value, options, words):
    with pytest.raises(ConfigError, match=words):
        check_share(Step(name="share", value=value, options=options))

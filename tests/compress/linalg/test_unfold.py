import numpy as np
import pytest

from edgebench.compress.linalg.unfold import unfold

HEIGHT, WIDTH, INPUTS, OUTPUTS = SHAPE = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("method", "entries"),
    [
        ("channel", [lambda h, w, i, o: ((h * WIDTH + w) * INPUTS + i, o)]),
        ("spatial", [lambda h, w, i, o: (h * INPUTS + i, w * OUTPUTS + o)]),
        (
            "tucker",
            [
                lambda h, w, i, o: (i, (h * WIDTH + w) * OUTPUTS + o),
                lambda h, w, i, o: (o, (h * WIDTH + w) * INPUTS + i),
            ],
        ),
    ],
)
def test_each_weight_stands_where_it_is_said_to(method, entries):
    kernel = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    for unfolded, place in zip(unfold(kernel, method), entries, strict=True):
        for index in np.ndindex(SHAPE):
            assert unfolded[place(*index)] == kernel[index]


def test_cp_has_the_unfoldings_of_tucker():
    kernel = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    for ours, theirs in zip(unfold(kernel, "cp"), unfold(kernel, "tucker"), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("shape", "method"), [((0, 4), "dense"), ((3, 3, 4, 0), "tucker")])
def test_a_kernel_without_weights_is_refused(shape, method):
    with pytest.raises(ValueError, match="is for kernels"):
        unfold(np.zeros(shape, np.float32), method)

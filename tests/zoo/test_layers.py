import pytest

from edgebench.errors import ConfigError
from edgebench.zoo.layers import halvings, open_image, scale_channels


@pytest.mark.parametrize("channels", [16, 24, 32, 64, 256])
def test_at_width_one_the_channels_are_the_papers(channels):
    assert scale_channels(channels, 1.0) == channels


@pytest.mark.parametrize("width", [0.01, 0.2, 0.35, 0.5, 0.75, 1.3, 2.0])
@pytest.mark.parametrize("channels", [16, 24, 32, 64, 256])
def test_at_any_width_channels_are_multiples_of_eight_and_few_are_lost(channels, width):
    scaled = scale_channels(channels, width)
    assert scaled % 8 == 0
    assert scaled >= max(8, 0.9 * channels * width)
    assert scaled < channels * width + 8 + 1e-9


@pytest.mark.parametrize("height", [8, 15, 16, 28, 31, 32, 63, 64, 96, 224])
def test_halving_leaves_four_pixels_each_way(height):
    halved = halvings((height, 224, 3))
    assert height >> len(halved) >= 4
    assert len(halved) == 4 or height >> (len(halved) + 1) < 4


@pytest.mark.parametrize("shape", [(28, 28), (784,), (28, 7, 1), (3, 28, 28, 1), ()])
def test_samples_that_are_no_images_are_refused(shape):
    with pytest.raises(ConfigError, match="take no samples of shape"):
        open_image(shape)

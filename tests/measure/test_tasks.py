"""What the host computes is kept in a cache, which may refuse it."""

import pytest

from edgebench.core import Artifact, Format
from edgebench.errors import NotDone
from edgebench.measure.tasks import Feed, serve


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "afile").write_text("")
    artifact = Artifact(
        path=tmp_path / "a.onnx",
        format=Format.ONNX,
        inputs=(),
        outputs=(),
        size_bytes=1,
        gzip_bytes=1,
        sha256="0" * 64,
    )
    with pytest.raises(NotDone, match=r"afile.*Not a directory") as caught:
        serve(artifact, Feed(), cache=tmp_path / "afile", progress=lambda words: None)
    assert "EDGEBENCH_CACHE" in str(caught.value.hint)

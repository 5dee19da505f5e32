from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst_core.options import SHORTEST_SIDE, GatysOptions
from nst_core.pyramid import plan


@given(
    width=st.integers(16, 5000),
    height=st.integers(16, 5000),
    size=st.integers(64, 4096),
    iterations=st.integers(1, 10_000),
    scales=st.none() | st.integers(1, 8),
)
def test_plan_keeps_its_promises(width: int, height: int, size: int, iterations: int, scales: int | None) -> None:
    made = plan(width, height, GatysOptions(size=size, iterations=iterations, scales=scales))
    assert sum(s.iterations for s in made) == iterations
    assert all(s.iterations >= 1 for s in made)
    assert max(made[-1].width, made[-1].height) == size
    assert all(a.width <= b.width and a.height <= b.height for a, b in pairwise(made))
    assert all(min(s.width, s.height) >= SHORTEST_SIDE for s in made[:-1])
    if scales is not None:
        assert len(made) <= scales


def test_exact_size_and_aspect_ratio() -> None:
    last = plan(300, 200, GatysOptions(size=512))[-1]
    assert (last.width, last.height) == (512, 341)


def test_default_is_a_pyramid() -> None:
    made = plan(512, 512, GatysOptions(size=512))
    assert len(made) >= 2
    assert made[0].iterations > made[-1].iterations


def test_one_scale_when_asked() -> None:
    (only,) = plan(512, 384, GatysOptions(size=512, scales=1, iterations=7))
    assert (only.width, only.height, only.iterations) == (512, 384, 7)


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_few_iterations_go_to_the_finest_scales(iterations: int) -> None:
    made = plan(100, 100, GatysOptions(size=2048, iterations=iterations))
    assert made[-1].width == 2048
    assert len(made) <= iterations

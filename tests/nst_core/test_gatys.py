from collections.abc import Container
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nst_core.checkpoint import Checkpoint
from nst_core.encoders import Encoder
from nst_core.errors import CorruptCheckpoint, Diverged, InvalidOptions
from nst_core.gatys import MILESTONE, Canvas, Iterate, Memory, Subject, minimize, paint
from nst_core.image import to_picture, to_tensor
from nst_core.normalization import calibration_images
from nst_core.objective import Objective
from nst_core.options import GatysOptions
from nst_core.pretrained import load_encoder
from nst_core.similarity import structural_similarity


@pytest.fixture(scope="module")
def compact() -> Encoder:
    return load_encoder("compact")


@pytest.fixture(scope="module")
def content() -> Image.Image:
    return to_picture(calibration_images(1, 96, seed=1)).crop((0, 0, 96, 64))


@pytest.fixture(scope="module")
def style() -> Image.Image:
    stripes = np.indices((80, 80)).sum(0) // 6 % 2
    return Image.fromarray((stripes[..., None] * np.array([230, 40, 20]) + 20).astype(np.uint8))


def _options(**changes: Any) -> GatysOptions:
    return GatysOptions(**{"size": 96, "iterations": 12, "scales": 1, "precision": "float32", **changes})


def _paint(content: Image.Image, style: Image.Image | None, encoder: Encoder, **changes: Any) -> list[Iterate]:
    styles = [style] if style else []
    subject = Subject(content=content, styles=styles, initial=changes.pop("initial", None))
    return list(paint(subject, _options(**changes), encoder))


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_minimize_finds_the_minimum_of_a_quadratic(optimizer: str) -> None:
    # sum (a_i (x_i - b_i)^2) has its minimum at b, whatever the curvatures a.
    torch.manual_seed(0)
    curvature, solution = torch.rand(1, 3, 4, 4) + 0.5, torch.rand(1, 3, 4, 4)

    class Quadratic(Objective):
        def __init__(self) -> None:
            self.done = 0

        def __call__(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"total": (curvature * (image - solution).square()).mean()}

    image = torch.zeros(1, 3, 4, 4)
    steps = 40 if optimizer == "lbfgs" else 400
    losses = [float(x["total"]) for x in minimize(Quadratic(), image, steps, _options(optimizer=optimizer))]
    assert losses[-1] < 1e-4 * losses[0]
    torch.testing.assert_close(image, solution, atol=0.01, rtol=0.01)


def test_the_loss_falls_with_every_iterate(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    iterates = _paint(content, style, compact, iterations=25)
    assert [i.step for i in iterates] == list(range(1, 26))
    assert {i.total_steps for i in iterates} == {25}
    assert iterates[-1].losses["total"] < 0.5 * iterates[0].losses["total"]
    assert iterates[-1].losses["style"] < 0.5 * iterates[0].losses["style"]


def test_size_is_exact(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    last = _paint(content, style, compact, size=131, iterations=2)[-1]
    assert last.picture().size == (131, 87)


def test_scales_and_fraction(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    iterates = _paint(content, style, compact, size=128, iterations=9, scales=2)
    assert [i.scale for i in iterates] == sorted(i.scale for i in iterates)
    assert {max(i.width, i.height) for i in iterates} == {64, 128}
    fractions = [i.fraction for i in iterates]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_the_same_seed_gives_the_same_picture(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    first, again, other = (
        _paint(content, style, compact, init="noise", seed=seed, iterations=5)[-1].image for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_reconstruction_from_noise(compact: Encoder, content: Image.Image) -> None:
    iterates = _paint(
        content, None, compact, style_weight=0, content_weight=1, content_layers=("relu1_2",), tv_weight=0,
        init="noise", iterations=60,
    )  # fmt: skip
    target = to_tensor(content, (96, 64))
    assert (iterates[-1].image - target).square().mean() < 0.25 * (iterates[0].image - target).square().mean()


def test_texture_without_content(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    last = _paint(content, style, compact, content_weight=0, init="noise", iterations=30)[-1]
    assert last.losses["content"] == 0
    assert last.losses["style"] < 0.2


def test_start_from_an_image(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    initial = Image.new("RGB", (50, 50), (10, 200, 30))
    first = _paint(content, style, compact, init="image", initial=initial, iterations=1)[0]
    assert (first.image.mean((0, 2, 3)) - torch.tensor([10, 200, 30]) / 255).abs().max() < 0.1


def test_style_size_changes_the_target(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    small, large = (_paint(content, style, compact, style_size=s, iterations=3)[0].losses["style"] for s in (64, 256))
    assert small != pytest.approx(large, rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"pooling": "max"},
        {"precision": "bfloat16"},
        {"normalize_weights": True},
        {"content_layers": ("conv3_2", "relu4_2"), "content_layer_weights": (0.0, 2.0)},
        {"style_layers": ("conv2_2",), "style_layer_weights": (3.0,)},
    ],
)
def test_options_paint(compact: Encoder, content: Image.Image, style: Image.Image, changes: dict[str, Any]) -> None:
    iterates = _paint(content, style, compact, **changes)
    assert iterates[-1].losses["total"] < iterates[0].losses["total"]
    assert float(iterates[-1].image.min()) >= 0
    assert float(iterates[-1].image.max()) <= 1


def test_layer_weights_are_relative(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    layers = {"style_layers": ("relu1_1", "relu3_1")}
    a, b = (
        _paint(content, style, compact, **layers, style_layer_weights=weights, iterations=1)[0]
        for weights in ((1, 3), (10, 30))
    )
    assert a.losses["style"] == pytest.approx(b.losses["style"], rel=1e-5)


def test_stopping_early_needs_no_more_than_to_stop(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    iterates = paint(Subject(content=content, styles=[style]), _options(iterations=10_000), compact)
    assert [i.step for i in islice(iterates, 3)] == [1, 2, 3]


def test_missing_pictures_are_refused(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    with pytest.raises(InvalidOptions, match="style image"):
        _paint(content, None, compact)
    with pytest.raises(InvalidOptions, match="initial image"):
        _paint(content, style, compact, init="image")


@pytest.mark.parametrize(
    ("content_size", "style_size", "changes"),
    [
        ((400, 50), (80, 80), {"size": 256, "scales": None}),
        ((96, 64), (400, 40), {"size": 64}),
        ((96, 64), (9, 70), {}),
    ],
)
def test_elongated_pictures(
    compact: Encoder, content_size: tuple[int, int], style_size: tuple[int, int], changes: dict[str, Any]
) -> None:
    content, style = (Image.effect_noise(size, 60).convert("RGB") for size in (content_size, style_size))
    last = _paint(content, style, compact, iterations=3, **changes)[-1]
    assert max(last.width, last.height) == changes.get("size", 96)


def test_a_result_without_a_short_side_is_refused(compact: Encoder, style: Image.Image) -> None:
    with pytest.raises(InvalidOptions, match="at least 32") as caught:
        _paint(Image.new("RGB", (300, 60)), style, compact, size=128)
    assert caught.value.field == "size"


class _Poisoned(Encoder):
    """Turns its output into NaN during the calls given, counted from 0."""

    def __init__(self, encoder: Encoder, poisoned: Container[int]) -> None:
        super().__init__("poisoned", (1,), (4,), "zeros")
        self.encoder, self.poisoned, self.calls = encoder, poisoned, 0

    def forward(self, image: torch.Tensor, layers: Any, *, thin: int = 1) -> dict[str, torch.Tensor]:
        self.calls += 1
        factor = torch.nan if self.calls - 1 in self.poisoned else 1.0
        return {name: value * factor for name, value in self.encoder(image, layers).items()}


def test_divergence_starts_again_with_safer_settings(
    compact: Encoder, content: Image.Image, style: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    # Two calls make the targets, the sixth call is the fourth iteration.
    iterates = _paint(content, style, _Poisoned(compact, range(5, 6)), iterations=12)
    assert [i.step for i in iterates] == [1, 2, 3, *range(1, 13)]
    assert "diverged with 9 iterations left; the last 12 again" in caplog.text
    assert all(np.isfinite(i.losses["total"]) for i in iterates)


def test_after_a_divergence_all_scales_are_painted_with_care(
    compact: Encoder, content: Image.Image, style: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    iterates = _paint(content, style, _Poisoned(compact, range(3, 4)), size=128, scales=2, iterations=10)
    assert [i.step for i in iterates] == [1, *range(1, 11)]
    assert {i.scale for i in iterates} == {1, 2}
    with pytest.raises(Diverged):  # once in each scale
        _paint(content, style, _Poisoned(compact, {3, 16}), size=128, scales=2, iterations=10)


def test_after_a_divergence_only_what_came_after_the_last_milestone_is_lost(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    # The 31st iteration is the 33rd call.
    iterates = _paint(content, style, _Poisoned(compact, range(32, 33)), iterations=40)
    assert [i.step for i in iterates] == [*range(1, 31), *range(26, 41)]
    totals = [i.losses["total"] for i in iterates]
    assert max(totals[30:]) < 1.2 * totals[25]


def test_a_weight_that_grows_is_no_divergence(
    compact: Encoder, content: Image.Image, style: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    _paint(content, style, compact, iterations=12, final_content_weight=200.0)
    assert not caplog.text


def test_divergence_twice_is_an_error(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    with pytest.raises(Diverged):
        _paint(content, style, _Poisoned(compact, range(5, 1000)), iterations=12)


def _half_mask(side: str) -> Image.Image:
    mask = np.zeros((64, 96), np.uint8)
    mask[:, slice(0, 48) if side == "left" else slice(48, 96)] = 255
    return Image.fromarray(mask)


def _flat(color: tuple[int, int, int]) -> Image.Image:
    """A style of one colour, with some texture."""
    grain = np.asarray(Image.effect_noise((80, 80), 30), np.float32)[..., None] - 128
    return Image.fromarray((np.array(color) + grain).clip(0, 255).astype(np.uint8))


RED, BLUE = _flat((210, 40, 30)), _flat((30, 50, 200))


def _paint_regions(content: Image.Image, encoder: Encoder, **changes: Any) -> np.ndarray:
    subject = Subject(content=content, styles=[RED, BLUE], masks=[_half_mask("left"), _half_mask("right")])
    *_, last = paint(subject, _options(content_weight=0.01, iterations=30, **changes), encoder)
    return np.asarray(last.picture(), np.float32)


def test_each_region_is_painted_in_its_own_style(compact: Encoder, content: Image.Image) -> None:
    painted = _paint_regions(content, compact)
    left, right = painted[:, :40].mean((0, 1)), painted[:, 56:].mean((0, 1))
    assert left[0] > left[2] + 40
    assert right[2] > right[0] + 40


def test_outside_of_all_masks_the_content_stays_as_it_is(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    subject = Subject(content=content, styles=[style], masks=[_half_mask("left")])
    original = np.asarray(content)
    for iterate in paint(subject, _options(scales=2, size=96), compact):
        last = iterate
    painted = np.asarray(last.picture())
    assert np.array_equal(painted[:, 49:], original[:, 49:])
    assert not np.array_equal(painted[:, :47], original[:, :47])


def _chrominance(picture: Any) -> np.ndarray:
    red, green, blue = np.moveaxis(np.asarray(picture, np.float32), -1, 0)
    return np.stack([0.596 * red - 0.274 * green - 0.322 * blue, 0.211 * red - 0.523 * green + 0.312 * blue])


def test_luminance_keeps_the_content_s_colours(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    painted = np.asarray(_paint(content, style, compact, color=("luminance",))[-1].picture())
    unclipped = ((painted > 0) & (painted < 255)).all(2)
    assert unclipped.mean() > 0.5
    difference = np.abs(_chrominance(painted) - _chrominance(content))[:, unclipped]
    assert difference.max() < 1.5  # rounding to 8 bits
    assert np.abs(painted.astype(float) - np.asarray(content)).mean() > 5


def test_colours_can_be_kept_in_one_region_only(compact: Encoder, content: Image.Image) -> None:
    painted = _paint_regions(content, compact, color=("luminance", "style"))
    difference = np.abs(_chrominance(painted) - _chrominance(content))
    unclipped = ((painted > 0) & (painted < 255)).all(2)
    assert np.median(difference[:, :, :40][:, unclipped[:, :40]]) < 1.5
    assert np.median(difference[:, :, 56:]) > 10


def test_matching_gives_the_style_the_content_s_colours(compact: Encoder, content: Image.Image) -> None:
    def distance(color: str) -> float:
        painted = _paint(content, RED, compact, color=(color,), content_weight=0.0, iterations=30)[-1].picture()
        return float(np.abs(np.asarray(painted, np.float32).mean((0, 1)) - np.asarray(content).mean((0, 1))).max())

    assert distance("match-mkl") < 12 < distance("style")


@pytest.mark.parametrize("loss", ["gram-shifted", "moments", "wasserstein", "sliced-wasserstein"])
def test_every_style_loss_paints(compact: Encoder, content: Image.Image, style: Image.Image, loss: str) -> None:
    iterates = _paint(content, style, compact, style_loss=loss, iterations=20)
    assert iterates[-1].losses["style"] < 0.6 * iterates[0].losses["style"]
    assert {f"style relu{k}_1" for k in range(1, 6)} <= iterates[-1].losses.keys()


def test_the_picture_may_be_the_average_of_the_iterates(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    plain, averaged = (
        [i.image for i in _paint(content, style, compact, optimizer="adam", iterations=8, averaging=decay)]
        for decay in (0.0, 0.75)
    )
    weights = 0.75 ** torch.arange(7, -1, -1)
    wanted = sum(weight * image for weight, image in zip(weights / weights.sum(), plain, strict=True))
    torch.testing.assert_close(averaged[-1], wanted, atol=1e-4, rtol=1e-4)


def test_adam_goes_on_at_the_next_scale_with_what_it_has_learned() -> None:
    memory = Memory()
    small = torch.rand(1, 3, 8, 12)
    adam = torch.optim.Adam([small])
    memory.start_adam(adam, small)
    assert not adam.state[small]
    small.grad = torch.full_like(small, 2.0)
    adam.step()
    memory.keep_adam(adam, small)
    large = torch.rand(1, 3, 16, 24)
    adam = torch.optim.Adam([large])
    memory.start_adam(adam, large)
    state = adam.state[large]
    assert float(state["step"]) == 1
    torch.testing.assert_close(state["exp_avg"], torch.full_like(large, 0.2))
    assert float(state["exp_avg_sq"].min()) >= 0
    large.grad = torch.ones_like(large)
    adam.step()


def test_the_content_weight_may_change_on_the_way(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    options = _options(content_weight=0.4, final_content_weight=0.1, iterations=3)
    assert [options.content_weight_at(k) for k in (0, 1, 2, 3)] == pytest.approx([0.4, 0.2, 0.1, 0.1])
    constant, falling = (
        _paint(content, style, compact, content_weight=1.0, final_content_weight=final, iterations=20)[-1].losses
        for final in (None, 0.001)
    )
    assert falling["content"] > constant["content"]
    assert falling["style"] < constant["style"]


def test_a_picture_painted_by_tiles_has_the_same_style(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    whole, by_tiles = (
        _paint(content, style, compact, size=320, scales=2, tile=tile, iterations=24)[-1] for tile in (None, 128)
    )
    assert by_tiles.picture().size == whole.picture().size
    assert by_tiles.losses["style"] < 1.5 * whole.losses["style"]


@pytest.mark.parametrize(
    ("options", "styles", "masks", "field"),
    [
        ({}, 0, 0, "style"),
        ({}, 1, 2, "mask"),
        ({}, 2, 1, "mask"),
        ({"style_weights": (1, 2)}, 1, 0, "style_weights"),
        ({"color": ("style", "luminance")}, 1, 0, "color"),
        ({"color": ("style", "luminance")}, 2, 0, "color"),
    ],
)
def test_images_that_do_not_fit_the_options_are_refused(
    compact: Encoder, content: Image.Image, options: dict[str, Any], styles: int, masks: int, field: str
) -> None:
    subject = Subject(content=content, styles=[RED] * styles, masks=[_half_mask("left")] * masks)
    with pytest.raises(InvalidOptions) as caught:
        next(paint(subject, _options(**options), compact))
    assert caught.value.field == field


def test_a_texture_needs_no_content_and_takes_the_shape_of_its_style(compact: Encoder, style: Image.Image) -> None:
    styles = [style.resize((90, 60)), style]
    iterates = list(paint(Subject(content=None, styles=styles), _options(content_weight=0.0, init="noise"), compact))
    assert (iterates[-1].width, iterates[-1].height) == (96, 64)
    assert iterates[-1].losses["style"] < 0.5 * iterates[0].losses["style"]


@pytest.mark.parametrize(
    ("options", "masks"),
    [
        ({}, 0),
        ({"init": "noise"}, 0),
        ({"content_weight": 0.0}, 0),
        ({"content_weight": 0.0, "init": "noise", "color": ("luminance",)}, 0),
        ({"content_weight": 0.0, "init": "noise"}, 1),
    ],
)
def test_a_content_that_is_needed_is_missed(
    compact: Encoder, style: Image.Image, options: dict[str, Any], masks: int
) -> None:
    subject = Subject(content=None, styles=[style], masks=[_half_mask("left")] * masks)
    with pytest.raises(InvalidOptions) as caught:
        next(paint(subject, _options(**options), compact))
    assert caught.value.field == "content"


class _Full(Encoder):
    """Runs out of memory on images larger than this, as a device does."""

    def __init__(self, encoder: Encoder, pixels: int) -> None:
        super().__init__("full", (1,), (4,), "zeros")
        self.encoder, self.pixels = encoder, pixels

    def forward(self, image: torch.Tensor, layers: Any, *, thin: int = 1) -> dict[str, torch.Tensor]:
        if image.shape[2] * image.shape[3] > self.pixels:
            raise torch.OutOfMemoryError
        found: dict[str, torch.Tensor] = self.encoder(image, layers)
        return found


def test_out_of_memory_the_picture_goes_on_in_tiles(
    compact: Encoder, content: Image.Image, style: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    iterates = _paint(content, style, _Full(compact, 600 * 540), size=800, style_size=128, iterations=2)
    assert [i.step for i in iterates] == [1, 2]
    assert iterates[-1].picture().size == (800, 533)
    assert "again in tiles of 400 pixels" in caplog.text


def test_out_of_memory_no_iteration_is_lost(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    class Fills(_Full):
        """From the sixth iteration on the memory is taken by others."""

        calls = 0

        def forward(self, image: torch.Tensor, layers: Any, *, thin: int = 1) -> dict[str, torch.Tensor]:
            self.calls += 1
            self.pixels = 210_000 if self.calls > 7 else 10**9
            return super().forward(image, layers, thin=thin)

    iterates = _paint(content, style, Fills(compact, 0), size=640, style_size=128, iterations=8)
    assert [i.step for i in iterates] == list(range(1, 9))
    assert [i.tile for i in iterates] == [None] * 5 + [320] * 3
    totals = [i.losses["total"] for i in iterates]
    assert max(totals[5:]) < 1.05 * totals[4]


def test_out_of_memory_a_large_style_image_is_looked_at_in_tiles(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    iterates = _paint(content, style, _Full(compact, 400 * 400), style_size=512, iterations=2)
    assert [i.tile for i in iterates] == [256, 256]


def test_out_of_memory_before_the_first_iteration_nothing_is_lost_either(
    compact: Encoder, content: Image.Image, style: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Late(Canvas):
        """There is room from the second time on."""

        def __init__(self, *arguments: Any) -> None:
            made.append(self)
            if len(made) in (1, 3):
                raise torch.OutOfMemoryError
            super().__init__(*arguments)

    monkeypatch.setattr("nst_core.gatys.Canvas", Late)
    iterates = _paint(content, style, compact, style_size=1024, iterations=4, scales=2)
    assert [i.step for i in iterates] == [1, 2, 3, 4]
    assert {i.tile for i in iterates} == {512, 256}
    assert len(made) == 4


#: The first iteration, before and after there is nothing more to remember, a milestone, and one after it.
KILLED_AFTER = (1, 4, 19, MILESTONE, 29)


@pytest.mark.parametrize(
    ("changes", "light"),
    [
        ({}, [1, MILESTONE]),
        ({"optimizer": "adam", "averaging": 0.8}, [*KILLED_AFTER]),
        ({"size": 160, "tile": 128, "final_content_weight": 0.01, "style_loss": "wasserstein"}, [1, MILESTONE]),
        ({"size": 128, "scales": 2, "iterations": 60}, [1, MILESTONE]),
    ],
)
def test_from_a_checkpoint_of_any_iteration_the_same_picture_is_painted(
    compact: Encoder, content: Image.Image, style: Image.Image, changes: dict[str, Any], light: list[int]
) -> None:
    options = _options(**{"iterations": 32, **changes})
    subject = Subject(content=content, styles=[style])
    made: dict[int, bytes] = {}
    were_light: list[int] = []
    for iterate in paint(subject, options, compact):
        if iterate.step in KILLED_AFTER:
            assert iterate.checkpoint is not None
            made[iterate.step] = iterate.checkpoint().to_bytes(10**9) or b""
            were_light += [iterate.step] if iterate.is_light else []
    assert were_light == light
    for step, data in made.items():
        again = paint(subject, options, compact, Checkpoint.from_bytes(data, torch.device("cpu")))
        first, *_, last = again
        assert first.step == step + 1
        assert torch.equal(last.image, iterate.image)
        assert last.losses == iterate.losses


def test_the_last_iterate_of_a_scale_has_no_checkpoint(
    compact: Encoder, content: Image.Image, style: Image.Image
) -> None:
    iterates = _paint(content, style, compact, size=128, scales=2, iterations=8)
    ends = {i.step for i, after in pairwise(iterates) if i.scale != after.scale} | {8}
    assert [i.step for i in iterates if i.checkpoint is None] == sorted(ends)


@pytest.mark.parametrize(
    ("most", "least_alike", "changes"),
    [
        (50_000, 0.97, {}),
        # Adam is far from its end after so few iterations, and takes another way without what it has learned.
        (120_000, 0.85, {"optimizer": "adam", "averaging": 0.8}),
    ],
)
def test_from_a_smaller_checkpoint_a_picture_as_good_is_painted(
    compact: Encoder, content: Image.Image, style: Image.Image, most: int, least_alike: float, changes: dict[str, Any]
) -> None:
    options = _options(**{"iterations": 60, **changes})
    subject = Subject(content=content, styles=[style])
    made: list[tuple[Iterate, bytes]] = []
    for iterate in paint(subject, options, compact):
        if iterate.checkpoint and iterate.step == MILESTONE:
            whole = iterate.checkpoint()
            assert whole.learned
            assert len(whole.to_bytes(10**9) or b"") > most
            made.append((iterate, whole.to_bytes(most) or b""))
    ((begun, data),) = made
    smaller = Checkpoint.from_bytes(data, torch.device("cpu"))
    assert not smaller.learned
    first, *_, last = paint(subject, options, compact, smaller)
    assert (first.step, last.step) == (MILESTONE + 1, options.iterations)
    assert last.losses["total"] < 1.01 * iterate.losses["total"]
    assert structural_similarity(last.image, iterate.image) > least_alike
    # And not because little happens in the iterations that were left.
    assert structural_similarity(begun.image, iterate.image) < 0.8


def test_a_checkpoint_of_another_picture_is_refused(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    subject = Subject(content=content, styles=[style])
    for step, side in ((5, 10), (0, 64), (20, 64)):
        other = Checkpoint(step=step, image=torch.zeros(1, 3, side, side))
        with pytest.raises(CorruptCheckpoint, match="another picture"):
            next(paint(subject, _options(iterations=20), compact, other))


def test_what_does_not_even_fit_in_tiles_fails(compact: Encoder, content: Image.Image, style: Image.Image) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        _paint(content, style, _Full(compact, 100 * 100), size=600, iterations=2)

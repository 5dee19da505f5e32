import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from nst_core.color import match_color
from nst_core.dataset import find_images
from nst_core.encoders import Encoder
from nst_core.errors import TrainingFailed
from nst_core.fast_models import read_style
from nst_core.gallery import Gallery
from nst_core.image import to_picture
from nst_core.normalization import calibration_images
from nst_core.options import StyleTrainingOptions
from nst_core.pretrained import load_encoder
from nst_core.style_training import Painting, StyleTraining

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("compact")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for k, image in enumerate(calibration_images(4, 96)):
        to_picture(image[None]).save(folder / f"{k}.png")
    (folder / "damaged.jpg").write_bytes(b"not an image")
    return folder


@pytest.fixture(scope="module")
def paintings() -> dict[str, Painting]:
    waves, fields = (to_picture(image[None]) for image in calibration_images(6, 96)[4:])
    return {
        "waves": Painting(picture=waves),
        "fields": Painting(picture=fields),
        "waves_color": Painting(picture=waves, keep_color=True),
    }


def options(**changes: object) -> StyleTrainingOptions:
    return StyleTrainingOptions(**({"steps": 12, "crop": 64, "style_size": (64,)} | changes))  # type: ignore[arg-type]


def training(encoder: Encoder, photographs: Path, paintings: dict[str, Painting], **changes: object) -> StyleTraining:
    return StyleTraining(encoder, find_images(photographs), paintings, options(**changes), CPU)


def test_training_brings_the_losses_down(encoder: Encoder, photographs: Path, paintings: dict[str, Painting]) -> None:
    one = {"waves": paintings["waves"]}
    run = training(encoder, photographs, one, steps=40, learning_rate=5e-3)
    assert run.photographs.skipped == 1
    totals = [step.losses["total"] for step in run.run()]
    assert sum(totals[-5:]) < 0.7 * sum(totals[:5])


def test_every_style_has_its_turn_in_each_round(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting]
) -> None:
    steps = list(training(encoder, photographs, paintings, steps=6).run())
    assert {s.style for s in steps[:3]} == {s.style for s in steps[3:]} == set(paintings)
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[-1].fraction == 1


def test_a_resumed_training_goes_on_exactly(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting], tmp_path: Path
) -> None:
    whole = training(encoder, photographs, paintings)
    losses = [step.losses["total"] for step in whole.run()]
    first = training(encoder, photographs, paintings)
    run = first.run()
    for _ in range(5):
        next(run)
    first.save_checkpoint(tmp_path / "c.pt")
    second = training(encoder, photographs, paintings)
    second.resume(tmp_path / "c.pt")
    assert [step.losses["total"] for step in second.run()] == pytest.approx(losses[5:], rel=1e-4)
    with pytest.raises(TrainingFailed, match="other options, paintings"):
        training(encoder, photographs, paintings, crop=80).resume(tmp_path / "c.pt")


def test_a_frozen_trunk_stays_as_it_was(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting], tmp_path: Path
) -> None:
    trained = training(encoder, photographs, paintings, steps=3)
    list(trained.run())
    trained.save_gallery(tmp_path, Image.new("RGB", (80, 60), "teal"))
    run = training(encoder, photographs, paintings, steps=3, freeze_trunk=True)
    run.initialize(Gallery(tmp_path))
    before = {k: v.clone() for k, v in run.network.state_dict().items()}
    styles = {k: v[0].detach().clone() for k, v in run.styles.items()}
    gallery = Gallery(tmp_path)
    assert gallery.styles.keys() == styles.keys()
    assert gallery["waves_color"].keeps_color
    assert gallery["waves"].losses["style"] > 0
    assert gallery.thumbnail("waves").startswith(b"\xff\xd8")
    list(run.run())
    assert all(torch.equal(before[k], v) for k, v in run.network.state_dict().items())
    assert all(not torch.equal(styles[k], v[0]) for k, v in run.styles.items())


def test_a_training_ends_after_its_minutes(encoder: Encoder, photographs: Path, paintings: dict[str, Painting]) -> None:
    run = training(encoder, photographs, paintings, steps=1_000_000, minutes=1e-6)
    steps = list(run.run())
    assert len(steps) == 1
    assert steps[-1].fraction == 1


def test_a_colour_preserving_style_aims_at_the_painting_in_the_photographs_colours(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting]
) -> None:
    run = training(encoder, photographs, paintings)
    # What recolours the painting is the photograph: to a network that returned just that, the style loss is zero.
    photograph = torch.lerp(torch.rand(1, 3, 64, 64), torch.tensor([0.9, 0.2, 0.1]).view(1, 3, 1, 1), 0.7)
    ideal = match_color(run.paintings["waves_color", 64], photograph)
    run.network.forward = lambda *_: ideal  # type: ignore[method-assign]
    with torch.no_grad():
        assert float(run.losses(photograph, "waves_color")["style"]) < 1e-6
        assert float(run.losses(photograph, "waves")["style"]) > 1e-2
    # In a batch each photograph has a target of its own.
    photographs_ = torch.cat([photograph, photograph.flip(1)])
    ideal = torch.cat([match_color(run.paintings["waves_color", 64], one[None]) for one in photographs_])
    with torch.no_grad():
        assert float(run.losses(photographs_, "waves_color")["style"]) < 1e-6


def test_a_preview_has_the_pictures_size(encoder: Encoder, photographs: Path, paintings: dict[str, Painting]) -> None:
    run = training(encoder, photographs, paintings)
    assert run.painted(Image.new("RGB", (50, 37), "teal"), "waves").size == (50, 37)


def test_a_style_trained_alone_has_a_network_of_its_own_and_others_can_start_from_it(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting], tmp_path: Path
) -> None:
    sample, galleries = Image.new("RGB", (80, 60), "teal"), {}
    for name, steps in (("waves", 12), ("fields", 1)):
        run = training(encoder, photographs, {name: paintings[name]}, steps=steps, learning_rate=5e-3)
        list(run.run())
        run.save_gallery(tmp_path / name, sample)
        galleries[name] = Gallery(tmp_path / name)
        assert not galleries[name].trunk_file.exists()
        own = read_style(galleries[name], name)
        assert own.network is not None
        for trained, saved in zip(run.network.parameters(), own.network.parameters(), strict=True):
            torch.testing.assert_close(trained, saved, atol=1e-3, rtol=1e-3)
    # A gallery of both; the third style is that of the first under another name.
    gallery = galleries["waves"]
    shutil.copy(tmp_path / "fields" / "fields.safetensors", tmp_path / "waves")
    gallery.styles["fields"] = galleries["fields"]["fields"]
    for name, expected in (("waves", "waves"), ("fields", "fields"), ("other", "waves")):
        run = training(encoder, photographs, {name: paintings.get(name, paintings["waves"])})
        run.initialize(gallery)
        assert torch.equal(run.styles[name][0], read_style(gallery, expected).vectors[0])
        assert next(iter(run.run())).step == 1
    with pytest.raises(TrainingFailed, match="has no trunk"):
        training(encoder, photographs, paintings).initialize(gallery)


def test_photographs_of_few_colours_do_not_drown_the_others(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting]
) -> None:
    run = training(encoder, photographs, paintings)
    grey = 0.5 + 1e-3 * torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert float(run.losses(grey, "waves_color")["style"]) < 20


def test_a_style_learns_strokes_of_several_sizes(
    encoder: Encoder, photographs: Path, paintings: dict[str, Painting], tmp_path: Path
) -> None:
    one = {"waves": paintings["waves"]}
    run = training(encoder, photographs, one, steps=60, style_size=(64, 128), learning_rate=2e-3)
    photograph = run.photographs.draw(1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = [float(run.losses(photograph, "waves", turn)["style"]) for turn in (0, 1)]
        assert before[0] != before[1]  # the painting's Gram matrices at the two sizes
    list(run.run())
    with torch.no_grad():
        after = [float(run.losses(photograph, "waves", turn)["style"]) for turn in (0, 1)]
    assert after[0] < before[0]
    assert after[1] < before[1]
    small, large = run.styles["waves"]
    assert not torch.equal(small, large)
    run.save_gallery(tmp_path, Image.new("RGB", (80, 60), "teal"))
    gallery = Gallery(tmp_path)
    assert gallery["waves"].style_sizes == (64, 128)
    torch.testing.assert_close(read_style(gallery, "waves").vectors, torch.stack([small, large]), atol=1e-3, rtol=1e-3)
    # Another training starts from what lies between.
    middle = training(encoder, photographs, one, style_size=(64, 91))
    middle.initialize(gallery)
    assert torch.equal(middle.styles["waves"][0], read_style(gallery, "waves").vectors[0])
    torch.testing.assert_close(middle.styles["waves"][1], (small + large) / 2, atol=0.01, rtol=0.01)

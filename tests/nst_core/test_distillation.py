import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from nst_core.dataset import TrainingImages, find_images, jitter
from nst_core.distillation import HALVED, Distillation, DistillationOptions
from nst_core.encoders import Compact
from nst_core.errors import CorruptCheckpoint, TrainingFailed
from nst_core.image import to_picture
from nst_core.normalization import calibration_images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for seed in range(3):
        to_picture(calibration_images(1, 96, seed)).save(folder / f"{seed}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 this is not a JPEG")
    return folder


def _distillation(images: Path, steps: int = 6) -> Distillation:
    torch.manual_seed(3)
    teacher = Compact({"1_1": 8, "2_1": 8, "3_1": 8, "4_1": 8, "4_2": 8, "5_1": 8}, widths=(4, 4, 8, 8, 8))
    options = DistillationOptions(steps=steps, batch=3, iterates=1, crop=64)
    return Distillation(teacher, images, images, options, torch.device("cpu"))


def test_training_improves_and_its_weights_load(images: Path, tmp_path: Path) -> None:
    run = _distillation(images, steps=30)
    before = run.validate()
    losses = [step.loss for step in run.run()]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    run.save_weights(tmp_path / "w.safetensors")
    encoder = Compact.from_file(tmp_path / "w.safetensors")
    found = encoder(torch.rand(1, 3, 64, 64), ("relu3_1",))["relu3_1"]
    assert found.shape == (1, 4, 16, 16)  # half of the teacher's channels
    assert set(before) == set(run.validate())


def test_a_training_may_start_from_a_narrower_network(images: Path, tmp_path: Path) -> None:
    run = _distillation(images)
    heads = {name: head.bias.numel() for name, head in run.student.heads.items() if name > "3"}
    narrow = Compact(heads, widths=(16, 24, 64, 128, 128))
    channels = {k: run.channels[k].tolist() for k in HALVED}
    metadata = {"channels": json.dumps(channels)}
    save_file(narrow.state_dict(), tmp_path / "narrow.safetensors", metadata)
    before = run.validate()
    run.initialize(tmp_path / "narrow.safetensors")
    image = torch.rand(1, 3, 64, 64)
    layers = ("relu3_1", "relu4_2", "relu5_1")
    expected, found = narrow(image, layers), run.student(image, layers)
    for layer in layers:
        torch.testing.assert_close(found[layer], expected[layer], atol=1e-4, rtol=1e-4)
    # The heads that the file lacks have learnt to read its trunk.
    assert run.validate()["relu1_1"] < 0.5 * before["relu1_1"]


def test_weights_that_are_no_part_of_the_network_are_refused(images: Path, tmp_path: Path) -> None:
    run = _distillation(images)
    metadata = {"channels": json.dumps({k: run.channels[k].tolist() for k in HALVED})}
    save_file(Compact({}, widths=(16, 32, 64, 160, 128)).state_dict(), tmp_path / "wide.safetensors", metadata)
    with pytest.raises(TrainingFailed, match="does not hold a part of this network"):
        run.initialize(tmp_path / "wide.safetensors")
    save_file(Compact({}).state_dict(), tmp_path / "headless.safetensors", metadata)
    with pytest.raises(TrainingFailed, match=r"lacks heads\.3_1"):
        run.initialize(tmp_path / "headless.safetensors")
    save_file(Compact({}).state_dict(), tmp_path / "unnamed.safetensors")
    with pytest.raises(TrainingFailed, match="lacks heads"):
        run.initialize(tmp_path / "unnamed.safetensors")
    save_file(Compact({"5_1": 3}).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(TrainingFailed, match="does not say which"):
        run.initialize(tmp_path / "other.safetensors")


def test_resuming_gives_exactly_what_an_uninterrupted_run_gives(images: Path, tmp_path: Path) -> None:
    whole = [step.loss for step in _distillation(images).run()]
    first = _distillation(images)
    losses = [step.loss for _, step in zip(range(3), first.run(), strict=False)]
    first.save_checkpoint(tmp_path / "c.pt")
    second = _distillation(images)
    second.resume(tmp_path / "c.pt")
    assert losses + [step.loss for step in second.run()] == whole


def test_a_checkpoint_of_another_training_is_refused(images: Path, tmp_path: Path) -> None:
    _distillation(images, steps=6).save_checkpoint(tmp_path / "c.pt")
    with pytest.raises(TrainingFailed, match="other options"):
        _distillation(images, steps=7).resume(tmp_path / "c.pt")
    (tmp_path / "c.pt").write_bytes(b"nonsense")
    with pytest.raises(CorruptCheckpoint, match="cannot be read"):
        _distillation(images).resume(tmp_path / "c.pt")


def test_unreadable_images_are_skipped_and_counted(images: Path) -> None:
    folder = TrainingImages(find_images(images), 32)
    assert len(folder) == 3
    assert folder.skipped == 1


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="no images"):
        find_images(tmp_path)
    with pytest.raises(TrainingFailed, match="no images"):
        find_images(tmp_path / "nowhere")
    Image.new("RGB", (4, 4)).save(tmp_path / "tiny.png")
    with pytest.raises(TrainingFailed, match="none of the training images"):
        TrainingImages(find_images(tmp_path), 32)


def test_crops_have_the_size_and_range_asked_for(images: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    crops = TrainingImages(find_images(images), 48).draw(4, generator)
    assert crops.shape == (4, 3, 48, 48)
    for batch in (crops, jitter(crops, generator)):
        assert batch.min() >= 0
        assert batch.max() <= 1

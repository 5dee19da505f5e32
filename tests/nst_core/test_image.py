import torch
from PIL import Image

from nst_core.image import noise, resize, to_picture, to_tensor


def test_a_picture_survives_the_way_there_and_back() -> None:
    picture = Image.effect_noise((17, 11), 80).convert("RGB")
    assert to_picture(to_tensor(picture)).tobytes() == picture.tobytes()


def test_tensor_is_rgb_between_0_and_1() -> None:
    tensor = to_tensor(Image.new("RGB", (4, 2), (255, 0, 51)))
    assert tensor.shape == (1, 3, 2, 4)
    torch.testing.assert_close(tensor[0, :, 0, 0], torch.tensor([1.0, 0.0, 0.2]))


def test_values_outside_are_cut_off() -> None:
    assert to_picture(torch.tensor([-1.0, 0.5, 9.0]).view(1, 3, 1, 1)).getpixel((0, 0)) == (0, 128, 255)


def test_resize_is_exact_and_keeps_a_constant() -> None:
    resized = resize(torch.full((1, 3, 10, 20), 0.3), 33, 7)
    assert resized.shape == (1, 3, 7, 33)
    torch.testing.assert_close(resized, torch.full_like(resized, 0.3))


def test_noise_follows_its_seed() -> None:
    assert torch.equal(noise(8, 6, 1), noise(8, 6, 1))
    assert not torch.equal(noise(8, 6, 1), noise(8, 6, 2))
    assert noise(8, 6, 1).shape == (1, 3, 6, 8)

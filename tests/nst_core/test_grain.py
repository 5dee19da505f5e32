import torch

from nst_core.grain import grain


def test_it_has_mean_0_and_deviation_1() -> None:
    field = grain(600, 800)
    assert field.shape == (1, 3, 600, 800)
    assert abs(float(field.mean())) < 0.05
    assert abs(float(field.std()) - 1) < 0.1


def test_a_part_is_what_the_whole_has_there() -> None:
    whole = grain(300, 260)
    for top, left, height, width in ((0, 0, 300, 260), (1, 15, 40, 50), (100, 7, 33, 1), (16, 128, 64, 17)):
        part = grain(height, width, top=top, left=left)
        torch.testing.assert_close(part, whole[:, :, top : top + height, left : left + width], atol=1e-6, rtol=0)


def test_no_octave_is_seen_to_repeat() -> None:
    # Where the finest octave does: after 113 cells of 2 pixels.
    field = grain(64, 64)
    for left in (226, 428, 856, 1648):
        assert torch.corrcoef(torch.stack([field.flatten(), grain(64, 64, left=left).flatten()]))[0, 1] < 0.6


def test_each_channel_has_its_own() -> None:
    red, green, _ = grain(200, 200)[0].flatten(1)
    assert torch.corrcoef(torch.stack([red, green]))[0, 1].abs() < 0.2

import pytest

from nst_core.errors import InvalidOptions
from nst_core.file_options import FileOptions


def test_jobs_of_an_earlier_version_have_the_defaults() -> None:
    params = {"size": 64, "output_format": "jpeg", "quality": 75}
    assert FileOptions.from_params(params) == FileOptions(output_format="jpeg", quality=75)
    assert FileOptions.from_params({}) == FileOptions(output_format="png", bit_depth=8, keep_metadata=False)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"output_format": "png", "quality": 90}, "quality"),
        ({"output_format": "jpeg", "bit_depth": 16}, "bit_depth"),
        ({"output_format": "webp", "bit_depth": 16}, "bit_depth"),
        ({"output_format": "tiff", "bit_depth": 16, "keep_metadata": True}, "keep_metadata"),
    ],
)
def test_what_a_format_cannot_do_is_refused_by_name(params: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidOptions, match=field) as caught:
        FileOptions.from_params(params)
    assert caught.value.field == field

"""Fields in every combination: each job either is painted or is refused by name before it is queued."""

import io
from collections import Counter
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from api.job_form import ALL_OPTIONS, FILES
from nst_core.file_options import FileOptions
from nst_core.options import AutoMask, Color, OutputFormat, StyleLossName
from nst_core.presets import PRESETS
from tests.service import Service

FIELDS = ALL_OPTIONS.keys() | FILES.keys() | FileOptions.__dataclass_fields__.keys()
NAMES = FIELDS | {"method", "style_id", "preset", "auto_mask", "metadata"}

VALUES: dict[str, st.SearchStrategy[str]] = {
    "method": st.sampled_from(["gatys", "fast"]),
    "style_id": st.sampled_from(["waves", "waves,waves"]),
    "preset": st.sampled_from(list(PRESETS)),
    "auto_mask": st.sampled_from(get_args(AutoMask)),
    "color": st.lists(st.sampled_from(get_args(Color)), min_size=1, max_size=2).map(",".join),
    "style_weights": st.sampled_from(["1", "1,2", "0,1"]),
    "style_size": st.sampled_from(["64", "100", "256"]),
    "style_loss": st.sampled_from(get_args(StyleLossName)),
    "init": st.sampled_from(["content", "noise", "image", "fast"]),
    "optimizer": st.sampled_from(["lbfgs", "adam"]),
    "scales": st.sampled_from(["1", "2"]),
    "averaging": st.sampled_from(["0", "0.9"]),
    "strength": st.sampled_from(["0.5", "1"]),
    "tile": st.just("128"),
    "snapshot_every": st.just("2"),
    "style_layers": st.sampled_from(["relu3_1,relu1_1", "conv5_1"]),
    "style_layer_weights": st.sampled_from(["1,2", "1"]),
    "content_layers": st.sampled_from(["relu2_2", "relu5_1"]),
    "final_content_weight": st.sampled_from(["0.01", "20"]),
    "history": st.just("1"),
    "normalize_weights": st.sampled_from(["true", "false"]),
    "pooling": st.sampled_from(["max", "average"]),
    "output_format": st.sampled_from(get_args(OutputFormat)),
    "quality": st.just("90"),
    "bit_depth": st.sampled_from(["8", "16"]),
    "keep_metadata": st.sampled_from(["true", "false"]),
}

#: Few at once: two that may not be combined would hide the others.
FORM = st.lists(st.sampled_from(list(VALUES)), max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


def png(mode: str, width: int, height: int) -> bytes:
    file = io.BytesIO()
    noise = Image.effect_noise((width, height), 70)
    noise.convert(mode).save(file, "PNG")
    return file.getvalue()


def faint_mask() -> bytes:
    """A single dot, which coarse scales hardly see."""
    mask = Image.new("RGBA", (90, 70))
    mask.putpixel((40, 30), (255, 255, 255, 20))
    file = io.BytesIO()
    mask.save(file, "PNG")
    return file.getvalue()


CONTENT = {mode: png(mode, 90, 70) for mode in ("RGB", "RGBA", "P", "I;16")}
STYLE, MASK = png("RGB", 60, 60), faint_mask()


def test_jobs_are_painted_or_refused(service: Service) -> None:
    ends: Counter[str] = Counter()

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(
        form=FORM,
        size=st.sampled_from([64, 160]),
        content=st.sampled_from([*CONTENT, *CONTENT, None]),
        files=st.sampled_from([{"style": 1}, {"style": 1}, {}, {"style": 2, "mask": 2}, {"style": 2}, {"mask": 1}]),
    )
    def submit(form: dict[str, str], size: int, content: str | None, files: dict[str, int]) -> None:
        if not files.get("style") and form.keys().isdisjoint({"style_id", "preset"}):
            form = form | {"style_id": "waves"}
        ends[painted_or_refused(service, form | {"size": str(size)}, content, files)] += 1

    # What once was accepted and failed, of those combinations that are seldom drawn.
    for form, files in (
        ({"style_id": "waves,waves", "color": "match-mkl,match-pca"}, {}),
        ({"style_loss": "gram-shifted", "style_layers": "relu3_1,relu1_1"}, {"style": 1}),
        ({"final_content_weight": "200", "iterations": "12"}, {"style": 1}),
        ({"init": "fast", "style_id": "waves,waves", "color": "style,luminance"}, {"style": 2, "mask": 2}),
        ({"scales": "3"}, {"style": 1, "mask": 1}),
    ):
        assert painted_or_refused(service, {"size": "96", **form}, "RGB", files) == "painted", form
    submit()
    assert min(ends["painted"], ends["refused"]) >= 20, ends


def painted_or_refused(service: Service, form: dict[str, str], content: str | None, files: dict[str, int]) -> str:
    sent: list[tuple[str, Any]] = [("content", CONTENT[content])] if content else []
    sent += [("style", STYLE)] * files.get("style", 0) + [("mask", MASK)] * files.get("mask", 0)
    if form.get("init") == "image":
        sent.append(("init_image", CONTENT["RGB"]))
    iterative = "style" in files and form.get("method") != "fast"
    fields = ({"iterations": "4"} if iterative else {}) | form
    # Fields as parts, too: without a file they would be another media type.
    parts = sent + [(name, (None, value)) for name, value in fields.items()]
    response = service.http.post("/jobs", files=parts, headers={"Prefer": "wait=60"})
    body: dict[str, Any] = response.json()
    if response.status_code == 422:
        named = {error["pointer"].removeprefix("#/") for error in body["errors"]}
        assert named, body
        assert named <= NAMES, body
        return "refused"
    assert response.status_code in (200, 202), body
    job = service.succeeded(body["id"])
    assert max(job["output"]["width"], job["output"]["height"]) == int(form["size"])
    with Image.open(io.BytesIO(service.result(job["id"]))) as picture:
        picture.load()
    return "painted"

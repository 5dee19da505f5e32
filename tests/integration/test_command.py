"""The commands that talk to a service."""

import json
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from tests.service import DEADLINE, Service, System


def test_submit_paints_with_a_running_service(system: System, service: Service, tmp_path: Path) -> None:
    output = tmp_path / "painted.jpg"
    pictures = (str(service.content), str(service.style))
    command = system.nst("submit", *pictures, "--size=96", "--iterations=5", f"--out={output}", NST_URL=service.url)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    assert f"{output} (96 x 72, compact, cpu" in said
    with Image.open(output) as picture:
        assert picture.size == (96, 72)
    (job,) = service.http.get("/jobs", params={"limit": 1}).json()["items"]
    assert output.read_bytes() == service.result(job["id"])


def test_submit_fetches_the_snapshots(system: System, service: Service, tmp_path: Path) -> None:
    options = ("--size=96", "--iterations=5", "--snapshot-every=2", f"--out={tmp_path / 'painted.png'}")
    command = system.nst("submit", str(service.content), str(service.style), *options, NST_URL=service.url)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    (job,) = service.http.get("/jobs", params={"limit": 1}).json()["items"]
    items = service.http.get(job["urls"]["snapshots"]).json()["items"]
    assert [item["step"] for item in items] == [2, 4, 5]
    folder = tmp_path / "painted-snapshots"
    assert {path.name for path in folder.iterdir()} == {
        *("0002.jpg", "0004.jpg", "0005.jpg", "evolution.webp", "sheet.jpg")
    }
    for item in items:
        assert (folder / f"{item['step']:04}.jpg").read_bytes() == service.http.get(item["url"]).content
    with Image.open(folder / "evolution.webp") as animation:
        assert (animation.format, getattr(animation, "n_frames", 1), animation.size) == ("WEBP", 3, (96, 72))
    with Image.open(folder / "sheet.jpg") as sheet:
        assert sheet.format == "JPEG"


def test_a_preset_s_picture_of_the_service_is_painted_again_without_it(
    system: System, service: Service, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.webp", tmp_path / "second.webp"
    options = ("--preset=texture", "--size=96", "--iterations=5", f"--out={first}")
    command = system.nst("submit", str(service.style), *options, NST_URL=service.url)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    (job,) = service.http.get("/jobs", params={"limit": 1}).json()["items"]
    record = tmp_path / "first.webp.json"
    assert json.loads(record.read_text()) == job
    assert (job["input"]["content_sha256"], job["output"]["similarity"]) == (None, None)
    command = system.nst("stylize", str(service.style), f"--like={record}", "--device=cpu", f"--out={second}")
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    with Image.open(first) as one, Image.open(second) as other:
        assert one.size == other.size
        # The worker may compute with another number of threads.
        assert ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean[0] < 1


def test_submit_repeats_why_the_service_refused(system: System, service: Service, tmp_path: Path) -> None:
    pictures = (str(service.content), str(service.style))
    command = system.nst("submit", *pictures, "--size=16000", f"--out={tmp_path / 'a.png'}", NST_URL=service.url)
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 1
    assert "size: must be at most 4096 on this server" in said
    assert "Traceback" not in said


def test_the_demo_paints_and_leaves_nothing_running(system: System, tmp_path: Path) -> None:
    output = tmp_path / "demo.png"
    # A folder of temporary files of its own tells its processes from those of others.
    command = system.nst("demo", "--size=96", "--iterations=10", f"--out={output}", TMPDIR=str(tmp_path))
    said, _ = command.communicate(timeout=DEADLINE)
    assert command.returncode == 0, said
    assert f"open {output}" in said
    with Image.open(output) as picture:
        assert picture.size == (96, 72)
    assert system.processes(tmp_path) == {}
    # torch makes a folder for its compiler's cache, empty or not, and leaves it.
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("torchinductor_")} == {"demo.png"}

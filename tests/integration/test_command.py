"""The commands that talk to a service."""

from pathlib import Path

from PIL import Image

from tests.integration.conftest import DEADLINE, Service, System


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

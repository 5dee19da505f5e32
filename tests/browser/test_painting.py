"""From a photograph to a picture."""

import json
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW, Visit
from tests.browser.form import (
    be_quick,
    box_of,
    choose_paintings,
    choose_photograph,
    choose_styles,
    job_of,
    jpeg,
    paint,
    pixels_of,
    setting,
    small,
    tile,
    unfold,
)
from tests.browser.watch import Watch
from tests.service import Service, wait_for

#: Of a photograph that is the same everywhere, so that one sees whether it is shown.
ORANGE = (230, 120, 20)


@pytest.fixture(scope="session")
def painted(service: Service) -> str:
    """The id of a job that is finished, of an orange photograph."""
    content = jpeg(Image.new("RGB", (96, 64), ORANGE), "orange.jpg")["buffer"]
    job_id = service.accepted(service.post(files={"content": content}, metadata='{"name": "orange"}', snapshot_every=1))
    service.succeeded(job_id)
    return job_id


@pytest.fixture
def result(visit: Visit, painted: str) -> Page:
    """Its picture, on a screen where there is room for everything."""
    page = visit(f"#/jobs/{painted}", viewport={"width": 1280, "height": 1800})
    expect(page.locator(".viewer-before")).to_be_visible()
    return page


def drop(page: Page, place: Locator, *files: Path) -> None:
    """Drop files there, as a hand does."""
    box = box_of(place)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    mouse = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        mouse.send("Input.dispatchDragEvent", {"type": kind, "data": data, **where})


def is_orange(pixels: NDArray[np.int64]) -> bool:
    return bool(np.abs(pixels - ORANGE).max() < 12)


def shown(page: Page) -> list[str]:
    """Of the picture's left part and its right one, whether the photograph is shown there, or the painting."""
    pixels = pixels_of(page.locator(".viewer-sheet"))
    height, width = pixels.shape[:2]
    # Far from the divider.
    parts = (pixels[height // 8, width // 8], pixels[height // 8, -width // 8])
    return ["photograph" if is_orange(part) else "painting" for part in parts]


def downloaded(page: Page, service: Service) -> bytes:
    """The file that the page lets one keep; it is the service's."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    file = Path(download.value.path()).read_bytes()
    assert file == service.result(job_of(page))
    return file


def test_from_a_drop_to_a_file_in_a_style_of_the_gallery(page: Page, service: Service) -> None:
    drop(page, page.locator("[data-field=content]"), Service.content)
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    expect(page.locator(".content-caption")).to_contain_text("768 \N{MULTIPLICATION SIGN} 576")
    choose_styles(page, "waves")
    expect(page.locator(".styles-credit")).to_have_text("Waves [at night], A. Painter, 1889")
    be_quick(page)
    paint(page)
    expect(page.get_by_role("slider", name="How much of the photograph is shown")).to_be_visible()

    with Image.open(BytesIO(downloaded(page, service))) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 48))
    job = service.job(job_of(page))
    assert (job["method"], job["input"]["params"]["style_id"]) == ("fast", "waves")
    digest = job["input"]["content_sha256"]
    assert service.http.get(f"/jobs/{job['id']}/inputs/{digest}").content == Service.content.read_bytes()


def test_from_a_drop_to_a_file_in_the_style_of_a_painting(page: Page, service: Service) -> None:
    drop(page, page.locator("[data-field=content]"), Service.content)
    page.get_by_role("radio", name="Your paintings").check(force=True)
    drop(page, page.locator(".styles-choice .drop"), Service.style)
    expect(page.get_by_role("list", name="Chosen styles")).to_contain_text("style_flow.jpg")
    be_quick(page)
    unfold(page)
    setting(page, "output_format").select_option("JPEG")
    paint(page)
    expect(page.get_by_role("slider", name="How much of the photograph is shown")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("link", name="Download")).to_have_attribute("download", "content_harbour-style_flow.jpg")

    with Image.open(BytesIO(downloaded(page, service))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 48))
    job = service.job(job_of(page))
    assert (job["method"], job["input"]["params"]["iterations"]) == ("gatys", 4)


def test_a_drop_that_misses_stays_on_the_page(page: Page) -> None:
    drop(page, page.locator(".footer"), Service.content)
    expect(page.get_by_text("Drop a photograph here")).to_be_visible()
    assert len(page.context.pages) == 1


def test_a_photograph_is_pasted(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("Drop a photograph here")).to_be_visible()
    page.evaluate("""async () => {
        const canvas = new OffscreenCanvas(40, 30);
        canvas.getContext("2d").fillRect(0, 0, 40, 30);
        const file = await canvas.convertToBlob({ type: "image/png" });
        await navigator.clipboard.write([new ClipboardItem({ "image/png": file })]);
    }""")
    page.keyboard.press("Control+v")
    expect(page.locator(".content-caption")).to_contain_text("40 \N{MULTIPLICATION SIGN} 30")


def test_a_photograph_is_chosen_replaced_and_removed(page: Page) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose a photograph").click()
    chooser.value.set_files(small())
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Replace").click()
    chooser.value.set_files(small(Service.style))
    expect(page.get_by_role("img", name="Your photograph style_flow.jpg")).to_be_visible()
    page.get_by_role("button", name="Remove the photograph").click()
    expect(page.get_by_text("Drop a photograph here")).to_be_visible()


def test_a_phone_takes_one(visit: Visit) -> None:
    page = visit(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    camera = page.locator("input[capture=environment]")
    expect(page.get_by_text("Take a photograph")).to_be_visible()
    camera.set_input_files(small())
    expect(page.get_by_role("img", name="Your photograph content_harbour.jpg")).to_be_visible()


def test_how_much_is_sent_is_told(page: Page, service: Service) -> None:
    noise = Image.effect_noise((900, 600), 80).convert("RGB")
    choose_photograph(page, jpeg(noise, "noise.jpg"))
    choose_styles(page, "waves")
    be_quick(page)
    line = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.locator(".forecast")).to_have_text(re.compile(r"^Uploading … [1-9]\d?%$"))
    bar = page.get_by_role("progressbar", name="Uploading")
    expect(bar).to_be_visible()
    assert 0 < bar.evaluate("bar => bar.value") < 1
    expect(page.get_by_role("button", name="Paint", exact=True)).to_be_disabled()
    line.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.wait_for_url("**/#/jobs/*")
    service.succeeded(job_of(page))


def test_the_photograph_is_compared_by_mouse(result: Page) -> None:
    assert shown(result) == ["painting", "painting"]
    box = box_of(result.locator(".viewer-sheet"))
    y = box["y"] + box["height"] / 2
    result.mouse.move(box["x"] + 5, y)
    result.mouse.down()
    result.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    result.mouse.up()
    slider = result.get_by_role("slider", name="How much of the photograph is shown")
    expect(slider).to_have_attribute("aria-valuetext", "50% photograph")
    assert shown(result) == ["photograph", "painting"]


def test_files_that_the_browser_cannot_show_are_compared(visit: Visit, service: Service) -> None:
    content = BytesIO()
    Image.new("RGB", (96, 64), ORANGE).save(content, "TIFF")
    response = service.post_fast(files={"content": content.getvalue()}, output_format="tiff")
    job_id = service.accepted(response)
    service.succeeded(job_id)
    page = visit(f"#/jobs/{job_id}", viewport={"width": 1280, "height": 1800})
    expect(page.locator(".viewer-before")).to_be_visible()
    assert shown(page) == ["painting", "painting"]
    page.get_by_role("slider", name="How much of the photograph is shown").focus()
    page.keyboard.press("End")
    assert shown(page) == ["photograph", "photograph"]


def test_the_photograph_is_compared_by_keyboard(result: Page) -> None:
    slider = result.get_by_role("slider", name="How much of the photograph is shown")
    slider.focus()
    result.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100% photograph")
    assert shown(result) == ["photograph", "photograph"]
    result.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "99% photograph")
    result.keyboard.press("Home")
    assert shown(result) == ["painting", "painting"]

    result.locator(".viewer-window").focus()
    for _ in range(25):
        result.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "50% photograph")
    assert shown(result) == ["photograph", "painting"]


def test_the_photograph_is_there_while_a_button_is_held(result: Page) -> None:
    hold = result.get_by_role("button", name="Hold to compare")
    hold.hover()
    result.mouse.down()
    assert shown(result) == ["photograph", "photograph"]
    result.mouse.up()
    assert shown(result) == ["painting", "painting"]

    for place, key in ((hold, "Space"), (hold, "Enter"), (result.locator(".viewer-window"), "c")):
        place.focus()
        result.keyboard.down(key)
        assert shown(result) == ["photograph", "photograph"], key
        result.keyboard.up(key)
        assert shown(result) == ["painting", "painting"], key


def test_it_is_looked_at_closely(result: Page) -> None:
    level, window = result.locator(".viewer-level"), result.locator(".viewer-window")
    sheet = result.locator(".viewer-sheet")
    whole = level.inner_text()
    assert whole == "300%"  # a small picture is enlarged, so far
    result.get_by_role("button", name="1:1, pixel by pixel").click()
    expect(level).to_have_text("100%")
    box = box_of(sheet)
    assert (box["width"], box["height"]) == (64, 43)
    result.get_by_role("button", name="Enlarge").click()
    expect(level).to_have_text("125%")
    result.get_by_role("button", name="Reduce").click()
    expect(level).to_have_text("100%")
    result.get_by_role("button", name="Whole picture").click()
    expect(level).to_have_text(whole)

    window.focus()
    result.keyboard.press("1")
    expect(level).to_have_text("100%")
    result.keyboard.press("+")
    expect(level).to_have_text("125%")
    result.keyboard.press("-")
    result.keyboard.press("0")
    expect(level).to_have_text(whole)


def test_it_is_moved_when_it_is_larger_than_the_window(visit: Visit, painted: str) -> None:
    page = visit(f"#/jobs/{painted}", viewport=NARROW)
    window, sheet = page.locator(".viewer-window"), page.locator(".viewer-sheet")
    window.focus()
    for _ in range(8):
        page.keyboard.press("+")
    expect(page.locator(".viewer-level")).to_have_text("800%")
    box, room = box_of(sheet), box_of(window)
    assert box["width"] > room["width"]
    x, y = room["x"] + room["width"] / 2, room["y"] + room["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 15, y, steps=3)
    page.mouse.up()
    dragged = box_of(sheet)
    assert dragged["x"] == pytest.approx(box["x"] + 15, abs=1)
    page.keyboard.press("ArrowRight")
    assert box_of(sheet)["x"] < dragged["x"]


def test_the_link_is_copied(visit: Visit, painted: str, root: str) -> None:
    page = visit(f"#/jobs/{painted}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is copied.").first).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{root}#/jobs/{painted}"
    page.goto("about:blank")
    page.goto(copied)
    expect(page.get_by_role("heading", name="orange")).to_be_visible()


def test_the_link_is_shown_where_it_cannot_be_copied(visit: Visit, painted: str) -> None:
    page = visit(f"#/jobs/{painted}")
    page.context.grant_permissions([])  # these only
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_role("textbox", name="Link to this picture")
    expect(link).to_have_value(page.url)
    assert page.evaluate("getSelection().toString()") == page.url


def test_parameters_and_figures_are_those_of_the_job(result: Page, service: Service, painted: str) -> None:
    job = service.job(painted)

    def fact(name: str) -> Locator:
        return result.locator("dt", has_text=re.compile(f"^{re.escape(name)}$")).locator("+ dd")

    expect(fact("Engine")).to_have_text("Optimised")
    expect(fact("Iterations")).to_have_text("5")
    expect(fact("Result")).to_contain_text("64 \N{MULTIPLICATION SIGN} 43")
    expect(fact("Encoder").first).to_be_hidden()
    result.get_by_text("All parameters").click()
    expect(fact("Size")).to_have_text("64")
    result.get_by_text("Figures").click()
    expect(fact("Similarity to the photograph (SSIM)")).to_have_text(f"{job['output']['similarity']:.4g}")
    expect(fact("Device")).to_have_text("cpu")


def test_how_it_came_about(result: Page, service: Service, painted: str) -> None:
    steps = [item["step"] for item in service.http.get(f"/jobs/{painted}/snapshots").json()["items"]]
    assert len(steps) > 2
    way = result.get_by_role("region", name="How it came about")
    slider, picture = way.get_by_role("slider", name="Step"), way.locator(".evolution-picture")
    expect(slider).to_have_attribute("aria-valuetext", f"Iteration {steps[0]}")
    expect(picture).to_have_attribute("alt", f"Iteration {steps[0]}")
    first = pixels_of(picture)
    slider.focus()
    result.keyboard.press("End")
    expect(picture).to_have_attribute("alt", f"Iteration {steps[-1]}")
    assert (pixels_of(picture) != first).any()

    way.get_by_role("button", name=f"Iteration {steps[1]}").click()
    expect(slider).to_have_attribute("aria-valuetext", f"Iteration {steps[1]}")
    way.get_by_role("button", name="Play").click()
    expect(way.get_by_role("button", name="Pause")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", f"Iteration {steps[-1]}")
    expect(way.get_by_role("button", name="Play")).to_be_visible()

    with result.expect_download() as download:
        way.get_by_role("button", name="Animation").click()
    assert download.value.suggested_filename == "orange-evolution.webp"
    animation = service.http.get(f"/jobs/{painted}/snapshots/animation").content
    assert Path(download.value.path()).read_bytes() == animation


def test_the_way_is_kept_where_one_asks_for_it(page: Page, service: Service) -> None:
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style))
    be_quick(page)
    page.get_by_label("Keep how it comes about").check()
    expect(setting(page, "snapshot_every")).to_have_value("1")
    job_id = paint(page)
    expect(page.get_by_role("region", name="How it came about")).to_be_visible(timeout=60_000)
    assert service.job(job_id)["input"]["params"]["snapshot_every"] == 1


def test_several_styles_of_the_gallery_with_weights(page: Page, service: Service) -> None:
    choose_photograph(page, small())
    choose_styles(page, "waves", "waves_color")
    chosen = page.get_by_role("list", name="Chosen styles")
    expect(chosen.locator(".field-value")).to_have_text(["50%", "50%"])
    chosen.get_by_role("slider").last.focus()
    page.keyboard.press("End")
    expect(chosen.locator(".field-value")).to_have_text(["33%", "67%"])
    be_quick(page)
    params = service.succeeded(paint(page))["input"]["params"]
    assert (params["style_id"], params["style_weights"]) == ("waves,waves_color", [1, 2])


def test_several_paintings_with_weights_and_colours(page: Page, service: Service) -> None:
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style), small(Service.style.with_name("style_ink.jpg")))
    page.get_by_role("slider", name="How much of style_flow.jpg").focus()
    page.keyboard.press("Home")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.get_by_label("Colours of style_ink.jpg").select_option("match-mkl")
    be_quick(page)
    job = service.succeeded(paint(page))
    params = job["input"]["params"]
    assert (params["style_weights"], params["color"]) == ([0.5, 1], ["style", "match-mkl"])
    assert len(job["input"]["style_sha256"]) == 2


def test_a_preset_is_what_holds_where_nothing_is_set(page: Page, service: Service) -> None:
    presets = {preset["name"]: preset["options"] for preset in service.http.get("/presets").json()["items"]}
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style))
    page.get_by_label("Preset").select_option("Poster")
    expect(page.locator("[data-field=color] option").first).to_have_text(re.compile("palette \\(usual\\)"))
    unfold(page)
    expect(setting(page, "tv_weight")).to_have_attribute("placeholder", str(presets["poster"]["tv_weight"]))
    be_quick(page, style_size=64)
    params = service.succeeded(paint(page))["input"]["params"]
    assert params["preset"] == "poster"
    assert {name: params[name] for name in presets["poster"]} == {**presets["poster"], "style_size": 64}


def test_again_with_changes_fills_everything(visit: Visit, service: Service) -> None:
    masks = [
        ("mask", jpeg(mask, "mask.jpg")["buffer"]) for mask in (Image.linear_gradient("L"), Image.radial_gradient("L"))
    ]
    styles = [("style", Service.style.with_name(f"style_{name}.jpg").read_bytes()) for name in ("ink", "flow")]
    fields = {
        "size": "64", "iterations": "3", "preset": "quick", "style_weights": "2,0.5", "color": "style,match-mkl",
        "content_weight": "0.25", "style_layers": "relu1_1,relu2_1", "style_layer_weights": "1,0.5", "init": "image",
        "optimizer": "adam", "seed": "7", "output_format": "webp", "quality": "77", "keep_metadata": "false",
        "snapshot_every": "2", "ttl_seconds": "3600", "priority": "low",
        "metadata": json.dumps({"name": "harbour", "styles": ["ink", "flow"]}),
    }  # fmt: skip
    content, init = Service.content.read_bytes(), small(Service.style)["buffer"]
    files = [("content", content), *styles, *masks, ("init_image", init)]
    sent = service.accepted(service.http.post("/jobs", files=files, data=fields))
    service.succeeded(sent)

    page = visit(f"#/jobs/{sent}")
    page.get_by_role("button", name="Again with changes").click()
    page.wait_for_url("**/#/")
    expect(page.get_by_role("img", name="Your photograph harbour")).to_be_visible()
    expect(page.get_by_label("Preset")).to_have_value("quick")
    expect(setting(page, "quality")).to_have_value("77")
    expect(page.get_by_text("All 2 styles have masks.")).to_be_visible()

    again, before = service.succeeded(paint(page)), service.job(sent)
    assert again["input"] == before["input"]
    assert (again["priority"], again["ttl_seconds"]) == (before["priority"], before["ttl_seconds"])
    assert again["metadata"] == before["metadata"]


def test_again_with_changes_of_a_style_of_the_gallery(visit: Visit, service: Service) -> None:
    drawing = Image.new("RGB", (120, 80), "steelblue")
    drawing.paste("tomato", (40, 20, 80, 60))
    content = jpeg(drawing, "drawing.jpg")["buffer"]
    sent = service.accepted(
        service.post_fast("waves_color", files={"content": content}, strength=0.5, auto_mask="background")
    )
    service.succeeded(sent)
    page = visit(f"#/jobs/{sent}")
    page.get_by_role("button", name="Again with changes").click()
    expect(tile(page, "waves_color")).to_be_checked()
    expect(page.get_by_role("radio", name="Background")).to_be_checked()
    expect(setting(page, "strength")).to_have_value("0.5")
    setting(page, "strength").fill("0.75")
    again, before = service.succeeded(paint(page)), service.job(sent)
    assert again["input"]["params"] == {**before["input"]["params"], "strength": 0.75}


def test_what_is_missing_is_said_where_it_is_missing(page: Page, watch: Watch) -> None:
    watch.expect_status(422)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_text("Choose a photograph first.")).to_be_visible()
    expect(page.locator("[data-field=content] input").first).to_be_focused()
    choose_photograph(page, small())
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_text("Choose a style first.")).to_be_visible()
    expect(page.get_by_text("Choose a photograph first.")).to_be_hidden()
    choose_styles(page, "waves")
    expect(page.get_by_text("Choose a style first.")).to_be_hidden()


def test_a_value_out_of_bounds_is_refused_at_its_control(page: Page) -> None:
    choose_photograph(page, small())
    choose_styles(page, "waves")
    setting(page, "size").fill("3")
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(setting(page, "size")).to_be_focused()
    expect(setting(page, "size")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-field=size] .field-error")).not_to_be_empty()
    setting(page, "size").fill("64")
    expect(page.locator("[data-field=size] .field-error")).to_be_empty()
    paint(page)


def test_what_the_service_refuses_is_said_at_its_control(page: Page, watch: Watch, service: Service) -> None:
    watch.expect_status(422)
    choose_photograph(page, small())
    choose_paintings(page, small(Service.style))
    be_quick(page, style_layers="relu1_1, relu9_9")
    page.get_by_text("All settings").click()
    expect(setting(page, "style_layers")).to_be_hidden()
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(setting(page, "style_layers")).to_be_focused()
    expect(setting(page, "style_layers")).to_be_in_viewport()
    expect(setting(page, "style_layers")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-field=style_layers] .field-error")).to_contain_text("relu9_9")
    expect(page.get_by_role("alert").filter(has_text="Some settings do not fit")).to_be_visible()
    setting(page, "style_layers").fill("relu1_1, relu2_1")
    job = service.job(paint(page))
    assert job["input"]["params"]["style_layers"] == ["relu1_1", "relu2_1"]
    wait_for(lambda: service.job(job["id"])["status"] == "succeeded")

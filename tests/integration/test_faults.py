"""Faults in random order; ``make soak`` has more of the same, and for longer."""

from pathlib import Path

from tests.service import System
from tests.soak import ACTIONS, FAULTS, RECIPES, soaking

#: The death of a worker is noticed soon.
ALERT = {"NST_LEASE_SECONDS": "2", "NST_REAPER_SECONDS": "1"}


def test_jobs_end_once_and_as_they_should_whatever_dies(system: System, styles_dir: Path) -> None:
    assert styles_dir
    with soaking(system, "soak", seed=6, style_id="waves", **ALERT) as soak:
        for recipe in RECIPES:
            soak.submit(recipe)
        # Each of them: what is drawn by chance leaves some out, and by a fixed seed the same ones for ever.
        actions = list(dict.fromkeys(ACTIONS))
        soak.chance.shuffle(actions)
        for action in actions:
            soak.round([action], pause=0.6)
        soak.meet_faults()
        soak.cancel_many(1000)
        report = soak.settle()
    assert not report.wrong, report
    assert report.ends.total() == len(soak.sent)
    assert report.ends["succeeded"]
    assert report.done.keys() >= set(ACTIONS)
    assert report.met.keys() >= set(FAULTS), report
    # The one that was stopped woke up when its job was no longer its own, and wrote nothing.
    assert report.fenced == 1, report

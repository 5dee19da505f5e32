"""Faults in random order; ``make soak`` has more of the same, and for longer."""

from pathlib import Path

from tests.service import System
from tests.soak import ACTIONS, RECIPES, soaking

#: The death of a worker is noticed soon.
ALERT = {"NST_LEASE_SECONDS": "2", "NST_REAPER_SECONDS": "1"}


def test_jobs_end_once_and_as_they_should_whatever_dies(system: System, styles_dir: Path) -> None:
    assert styles_dir
    with soaking(system, "soak", seed=6, style_id="waves", **ALERT) as soak:
        for recipe in RECIPES:
            soak.submit(recipe)
        actions = soak.chance.sample(list(dict.fromkeys(ACTIONS)), 8)
        for action in actions:
            soak.round([action])
        soak.cancel_many(200)
        report = soak.settle()
    assert not report.wrong, report
    assert report.ends.total() == len(soak.sent)
    assert report.ends["succeeded"]

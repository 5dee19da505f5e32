"""An installed Chromium, or how to get one.

python -m tests.browser.chromium tells which it is.
"""

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_APPLICATIONS = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)

#: Besides those of Playwright.
ARGUMENTS = ("--disable-gpu", "--disable-quic", "--disable-sync")

HOW_TO_GET_ONE = """\
no Chromium was found. Install one, or name its program in NST_CHROMIUM:
  Debian:          apt-get install chromium
  Fedora:          dnf install chromium
  macOS:           brew install --cask chromium
"""


class NoChromium(Exception):
    """There is none on this machine; the text says how to get one."""


def find_chromium() -> str:
    """The program: the one that ``NST_CHROMIUM`` names, one on the ``PATH``, or an application of macOS.

    Raises:
        NoChromium: there is none, or not where ``NST_CHROMIUM`` says.
    """
    named = os.environ.get("NST_CHROMIUM")
    if named:
        if found := shutil.which(named):
            return found
        raise NoChromium(f"NST_CHROMIUM={named} is no program")
    for candidate in (*map(shutil.which, NAMES), *(str(path) for path in _APPLICATIONS if path.exists())):
        if candidate:
            return candidate
    raise NoChromium(HOW_TO_GET_ONE)


if __name__ == "__main__":
    try:
        print(f"Chromium: {find_chromium()}")
    except NoChromium as error:
        sys.exit(str(error))

"""The page in a real browser: headless Chromium (`apt-get install chromium`)."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from tests.reporting.conftest import STUDIES

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

# The page is looked at in a frame, since a headless window cannot be narrower than 500 px.
FRAME = (
    '<!doctype html><title></title><iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}"></iframe>'
)
MEASURE = """<script>addEventListener("load", () => {
  const width = document.documentElement.clientWidth, page = document.documentElement.scrollWidth, loose = [];
  const held = (e) => e.closest(".scroll") || e.closest("svg");
  for (const e of document.body.querySelectorAll("*"))
    if (!held(e) && e.getBoundingClientRect().right > width + 1) loose.push(e.outerHTML.slice(0, 120));
  const letters = [...document.querySelectorAll("svg text")].map((t) => t.getBoundingClientRect().height);
  parent.document.title = JSON.stringify({width, page, loose, lowest: Math.min(...letters)});
});</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_and_nothing_complains(
    pages: dict[str, Path], study: str, width: int, tmp_path: Path
) -> None:
    seen, complaints = _open(pages[study].read_text(), width, tmp_path)
    assert complaints == []
    assert seen["width"] == width
    assert seen["page"] <= width and seen["loose"] == []
    assert seen["lowest"] >= 9  # px: the smallest lettering in a drawing


@pytest.mark.slow
def test_the_test_sees_what_it_looks_for(tmp_path: Path) -> None:
    """A page that is too wide, and one that complains."""
    bad = "<!doctype html><body><div style='width: 800px'>x</div><script>nothing()</script>"
    seen, complaints = _open(bad, 390, tmp_path)
    assert seen["loose"] and seen["page"] > 390
    assert any("nothing is not defined" in line for line in complaints)


def _open(html: str, width: int, folder: Path) -> tuple[dict, list[str]]:
    page = folder / "page.html"
    page.write_text(FRAME.format(width=width, page=escape(html + MEASURE)))
    options = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-sync --hide-scrollbars"
    options += f" --enable-logging=stderr --user-data-dir={folder / 'profile'} --window-size={width + 40},1000"
    options += f" --virtual-time-budget=2000 --dump-dom {page.as_uri()}"
    done = subprocess.run([str(CHROMIUM), *options.split()], capture_output=True, text=True, timeout=90)
    title = re.search(r"<title>(.+?)</title>", done.stdout, flags=re.S)
    assert title, done.stderr
    return json.loads(unescape(title[1])), re.findall(r".*CONSOLE.*", done.stderr)

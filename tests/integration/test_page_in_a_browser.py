# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: phone and desktop, light and dark, without a script and without scrolling sideways."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.doubles import pages

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--virtual-time-budget=5000", "--dump-dom"),
)
PHONE, DESKTOP = 360, 1280

# Measures each page within a frame of its own; the frame's content security policy is the page's.
MEASURE = """
<body><pre id="measured"></pre><script>
onload = () => {
  const frames = [...document.querySelectorAll("iframe")];
  document.querySelector("pre").textContent = JSON.stringify(frames.map(frame => {
    const page = frame.contentDocument, style = element => getComputedStyle(page.querySelector(element));
    return {
      name: frame.id, width: frame.width, scroll: page.scrollingElement.scrollWidth,
      back: style("body").backgroundColor,
      head: style("thead").display, title: page.title, verdict: page.querySelector("h1").getBoundingClientRect().bottom,
      scripts: page.scripts.length, images: page.images.length,
    };
  }));
};
</script>
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed (Debian: apt-get install chromium)")


def measured(folder: Path, scheme: int) -> list[dict[str, t.Any]]:
    """What the browser makes of every page at both widths; ``scheme``: 0 dark, 1 light."""
    frames = [
        f'<iframe id="{name}" width="{width}" height="800" srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.pages().items()
        for width in (PHONE, DESKTOP)
    ]
    (folder / "measure.html").write_text(MEASURE + "\n".join(frames), encoding="utf-8")
    profile = folder / f"profile{scheme}"
    scheme_flag = f"--blink-settings=preferredColorScheme={scheme}"
    command = [str(BROWSER), *FLAGS, scheme_flag, f"--user-data-dir={profile}", (folder / "measure.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return t.cast("list[dict[str, t.Any]]", json.loads(html.unescape(found[1])))


def test_every_page_fits_a_phone_and_a_desktop_in_light_and_dark(tmp_path):
    light, dark = measured(tmp_path, 1), measured(tmp_path, 0)
    assert len(light) == len(dark) == 8
    for frame in [*light, *dark]:
        assert frame["scroll"] <= int(frame["width"]), frame
        assert (frame["head"] == "none") is (int(frame["width"]) == PHONE), frame
        assert (frame["scripts"], frame["images"]) == (0, 0)
        # With a usual name the verdict is on the first screen of a phone, without scrolling.
        assert frame["verdict"] < 640 or frame["name"] == "hostile", frame
    assert {frame["back"] for frame in light}.isdisjoint(frame["back"] for frame in dark)
    assert {frame["title"] for frame in light if frame["name"] == "no-quorum"} == {"orders: No quorum"}

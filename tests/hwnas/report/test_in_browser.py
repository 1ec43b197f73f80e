"""The page in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hwnas.report.data import collect
from hwnas.report.model import ReportData
from hwnas.report.page import render
from hwnas.run import Run

if TYPE_CHECKING:
    from tests.hwnas.report.browser import Browser


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_page_opens_without_a_complaint_a_request_or_a_sideways_scroll(browser: Browser, page: Path, width: int) -> None:
    browser.goto(page, width)
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_every_point_is_drawn(browser: Browser, page: Path, full_run: Run) -> None:
    browser.at(page)
    drawn = browser.js(
        "[...document.querySelectorAll('#chart-front .scatterlayer .trace')].map((t) => t.querySelectorAll('.point').length)"
    )
    n = len(full_run.front())
    others = [len(Run.open(full_run.path / name).front()) for name in ("baseline", "references")]
    assert drawn[:5] == [240 - n, *others, n, n]
    assert browser.js("document.querySelectorAll('#chart-verification .scatterlayer .point').length") == n + 8
    assert browser.js("document.querySelectorAll('#chart-course .scatterlayer .js-line').length") == 2


def test_colours_follow_the_scheme_and_paper_is_light(browser: Browser, page: Path) -> None:
    ink = "document.getElementById('chart-front')._fullLayout.font.color"
    browser.at(page)
    light = browser.js(ink)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.settle()
    dark = browser.js(ink)
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    assert (browser.js(ink), browser.js("document.getElementById('chart-front')._fullLayout.width")) == (light, 680)
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    browser.settle()
    assert browser.js(ink) == dark != light
    assert browser.js("document.getElementById('chart-front')._fullLayout.width") > 680
    browser.call("Emulation.setEmulatedMedia", features=[])
    assert browser.complaints() == []


def test_hovering_shows_the_architecture_and_clicking_opens_it(browser: Browser, page: Path) -> None:
    browser.at(page)
    browser.js("document.getElementById('chart-front').scrollIntoView({behavior: 'instant'})")
    browser.settle()
    point = "document.querySelectorAll('#chart-front .scatterlayer .trace')[3].querySelectorAll('.point')[1].getBoundingClientRect()"
    x, y = browser.js(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({point})")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.settle()
    assert "stage1: width" in browser.js("document.querySelector('#chart-front .hoverlayer').textContent")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.settle()
    assert browser.js("document.getElementById('detail-1').hidden") is False
    assert browser.js("document.activeElement.getAttribute('aria-controls')") == "detail-1"


def test_figures_are_saved_and_reset_by_buttons(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.at(page)
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    for kind in ("svg", "png"):
        browser.js(f"document.querySelector('[data-of=front][data-action={kind}]').click()")
    end = time.monotonic() + 20
    while {path.name for path in tmp_path.iterdir()} != {"hwnas-front.svg", "hwnas-front.png"} and time.monotonic() < end:
        browser.settle()
    assert "<svg" in (tmp_path / "hwnas-front.svg").read_text()[:200]
    assert (tmp_path / "hwnas-front.png").read_bytes().startswith(b"\x89PNG")
    y = "document.getElementById('chart-front')._fullLayout.yaxis.range"
    first = browser.js(y)
    browser.js("document.querySelector('[data-of=front][data-action=all]').click()")
    assert browser.js(y) != first
    browser.js("document.querySelector('[data-of=front][data-action=reset]').click()")
    assert browser.js(y) == first
    assert browser.complaints() == []


def test_headings_sort_by_keyboard_and_details_stay_with_their_point(browser: Browser, page: Path) -> None:
    browser.at(page)
    order = "[...document.querySelectorAll('tbody[id^=point-]')].map((b) => Number(b.id.slice(6)))"
    count = len(browser.js(order))
    assert browser.js("document.getElementById('detail-0').hidden") is True
    browser.js("document.querySelectorAll('#table-points .sort')[2].focus()")
    sorts = "document.querySelectorAll('#table-points thead th')[2].getAttribute('aria-sort')"
    for expected, direction in ((list(range(count)), "ascending"), (list(range(count))[::-1], "descending")):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
        assert browser.js(order) == expected
        assert browser.js(sorts) == direction
    assert browser.js("document.getElementById('detail-1').closest('tbody').id") == "point-1"


def test_hostile_text_stays_text(browser: Browser, full_run: Run, tmp_path: Path, hostile: Callable[[ReportData], ReportData]) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(hostile(collect(full_run, path))), encoding="utf-8")
    browser.goto(path)
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]
    assert browser.js("document.querySelectorAll('img, [onerror], [onmouseover]').length") == 0
    assert browser.js("document.querySelectorAll('svg a').length") == 0
    assert "alert(1)" in browser.js("document.querySelector('#chart-front .xtitle').textContent")


def test_a_script_that_came_in_anyway_would_not_run(browser: Browser, page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    inserted = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\"></footer>"
    broken.write_text(page.read_text(encoding="utf-8").replace("</footer>", inserted), encoding="utf-8")
    browser.goto(broken)
    assert browser.js("document.title") != "owned"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_filtering_by_the_legend_hides_a_series_and_brings_it_back(browser: Browser, page: Path) -> None:
    browser.at(page)
    shown = "document.getElementById('chart-front')._fullData.map((t) => [t.name, t.visible])"
    assert ["evaluated", True] in browser.js(shown)
    entry = "[...document.querySelectorAll('#chart-front .legendtoggle')][0].getBoundingClientRect()"
    browser.js("document.getElementById('chart-front').scrollIntoView({behavior: 'instant'})")
    browser.settle()
    x, y = browser.js(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({entry})")
    for expected in ("legendonly", True):
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        end = time.monotonic() + 10
        while ["evaluated", expected] not in browser.js(shown) and time.monotonic() < end:
            browser.settle()
        assert ["evaluated", expected] in browser.js(shown)


def test_a_recommended_point_leads_to_its_details(browser: Browser, page: Path) -> None:
    browser.at(page)
    browser.js("document.querySelectorAll('.toggle[aria-expanded=true]').forEach((button) => button.click())")
    target = browser.js("document.querySelector('.picks [data-open]').dataset.open")
    browser.js("document.querySelector('.picks [data-open]').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    browser.settle()
    assert browser.js(f"document.getElementById('{target}').querySelector('tr.detail').hidden") is False
    assert browser.js("location.hash") == f"#{target}"


def test_three_objectives_are_drawn_as_lines_that_open_their_point(browser: Browser, board: Path, three_run: Run) -> None:
    browser.goto(board)
    assert browser.complaints() == []
    browser.js("document.getElementById('chart-parallel').scrollIntoView({behavior: 'instant'})")
    browser.settle()
    assert browser.js("document.querySelectorAll('#chart-parallel .scatterlayer .point').length") == 3 * len(three_run.front())
    mark = "[...document.querySelectorAll('#chart-parallel .scatterlayer .trace')].at(-1).querySelectorAll('.point')[1]"
    x, y = browser.js(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({mark}.getBoundingClientRect())")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.settle()
    assert "MACs" in browser.js("document.querySelector('#chart-parallel .hoverlayer').textContent")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.settle()
    assert browser.js("[...document.querySelectorAll('tr.detail')].filter((row) => !row.hidden).length") == 1


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_comparison_opens_without_a_complaint_a_request_or_a_sideways_scroll(browser: Browser, comparison: Path, width: int) -> None:
    browser.goto(comparison, width)
    assert browser.complaints() == []
    assert browser.requests() == [comparison.as_uri()]
    assert browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_comparison_draws_both_fronts_and_sorts(browser: Browser, comparison: Path, full_run: Run, three_run: Run) -> None:
    browser.goto(comparison)
    both = len(full_run.front()) + len(three_run.front())
    assert browser.js("document.querySelectorAll('#chart-compare .scatterlayer .point').length") == both
    browser.js("document.querySelectorAll('#table-points .sort')[2].click()")
    costs = browser.js("[...document.querySelectorAll('#table-points tbody')].map((b) => Number(b.rows[0].cells[2].dataset.value))")
    assert len(costs) == both
    assert costs == sorted(costs)

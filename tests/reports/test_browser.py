"""The page in a real browser: what is drawn, clicked, typed and read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from history.history import History
from reports import page
from tests.reports.chromium import open_page, until
from tests.reports.samples import failing_lock, history, material, row

GUTTER_PX = 118


def state(driver: webdriver.Chrome, expression: str) -> Any:
    """Something of the page's state, after what was asked for has been drawn."""
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return driver.execute_script(
        f"const {{run, state, timeline}} = window.windtunnel; return {expression}"
    )


def view(driver: webdriver.Chrome) -> tuple[float, float]:
    found = state(driver, "[state.view.from, state.view.to]")
    return found[0], found[1]


def stage(driver: webdriver.Chrome) -> WebElement:
    return driver.find_element(By.ID, "stage")


def point(driver: webdriver.Chrome, x: float, y: float) -> ActionChains:
    """The pointer over a point of the timeline's canvas."""
    element = stage(driver)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    width, height = driver.execute_script(
        "const b = arguments[0].getBoundingClientRect(); return [b.width, b.height]", element
    )
    move = ActionChains(driver, duration=20)
    return move.move_to_element_with_offset(element, round(x - width / 2), round(y - height / 2))


def over_op(driver: webdriver.Chrome, index: int) -> ActionChains:
    box = state(
        driver, f"timeline.boxOf(run.ops.index.findIndex((i, r) => i + run.ops.ret[r] === {index}))"
    )
    return point(driver, (box["left"] + box["right"]) / 2 + 1, box["middle"] + 1)


def press(driver: webdriver.Chrome, *keys: str) -> None:
    driver.execute_script("arguments[0].focus()", stage(driver))
    for key in keys:
        stage(driver).send_keys(key)


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the browser's console has said since it was last asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def witness() -> tuple[int, ...]:
    return failing_lock().verdict.anomalies[0].ops


def test_the_page_draws_itself_without_a_complaint(lock: webdriver.Chrome) -> None:
    assert complaints(lock) == []
    painted = lock.execute_script(
        "const c = document.getElementById('timeline'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; return new Set(new Uint32Array(d.buffer)).size"
    )
    assert painted > 20


def test_the_wheel_zooms_where_the_pointer_is(lock: webdriver.Chrome) -> None:
    start = view(lock)
    point(lock, 700, 100).click().perform()
    before = state(lock, "timeline.timeOf(700)")
    lock.execute_script(
        "const b = arguments[0].getBoundingClientRect();"
        "const over = {clientX: b.left + 701, clientY: b.top + 100, bubbles: true, cancelable: true};"
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -300, ...over}))",
        stage(lock),
    )
    now = view(lock)
    assert now[1] - now[0] < (start[1] - start[0]) * 0.7
    assert abs(state(lock, "timeline.timeOf(700)") - before) < (now[1] - now[0]) / 50


def test_the_wheel_scrolls_the_page_while_the_timeline_has_no_focus(lock: webdriver.Chrome) -> None:
    prevented = lock.execute_script(
        "document.activeElement.blur(); return !arguments[0].dispatchEvent("
        "new WheelEvent('wheel', {deltaY: 100, bubbles: true, cancelable: true}))",
        stage(lock),
    )
    assert not prevented


def test_dragging_moves_the_view(lock: webdriver.Chrome) -> None:
    press(lock, "+", "+")
    start = view(lock)
    point(lock, 800, 60).click_and_hold().move_by_offset(-200, 0).release().perform()
    now = view(lock)
    assert now[0] > start[0]
    assert now[1] - now[0] == pytest.approx(start[1] - start[0])


def test_shift_and_drag_selects_a_range_and_the_logs_follow(lock: webdriver.Chrome) -> None:
    left, right = state(lock, "[timeline.xOf(12.3e6), timeline.xOf(13e6)]")
    assert "lost contact" in lock.find_element(By.ID, "logs").text
    move = point(lock, left, 60).key_down(Keys.SHIFT).click_and_hold()
    move.move_by_offset(round(right - left), 0).release().key_up(Keys.SHIFT).perform()
    until(lock, "return !document.getElementById('logs').textContent.includes('lost contact')")
    assert "elected, epoch 8" in lock.find_element(By.ID, "logs").text


def test_hovering_tells_about_the_operation(lock: webdriver.Chrome) -> None:
    over_op(lock, witness()[1]).perform()
    tooltip = until(
        lock, "const t = document.getElementById('tooltip'); return !t.hidden && t.textContent"
    )
    for part in ('acquire ["door"] by process 3 on n4', '{"token":25}', "took 900 ms"):
        assert part in tooltip


def test_a_click_shows_all_of_the_operation_and_links_to_it(lock: webdriver.Chrome) -> None:
    first, second = witness()
    over_op(lock, second).click().perform()
    chosen = lock.find_element(By.ID, "chosen").text
    for part in ("process", "door", "n4", "13.1", "partition of n1, n2"):
        assert part in chosen
    assert lock.execute_script("return location.hash").startswith("#op=")
    assert str(first) not in chosen.split("\n")[0]


def test_a_link_opens_the_page_at_its_operation(browser: webdriver.Chrome, lock_path: Path) -> None:
    second = witness()[1]
    open_page(browser, lock_path, f"#op={second}")
    assert str(second) in browser.find_element(By.ID, "chosen").text
    start, end = view(browser)
    assert start < 12.2e6 < 13.1e6 < end
    assert end - start < 10e6


def test_a_link_to_what_is_not_there_says_so(browser: webdriver.Chrome, lock_path: Path) -> None:
    open_page(browser, lock_path, "#op=4242")
    assert "op 4242 is not on this page" in browser.find_element(By.ID, "chosen").text


def test_jumping_to_the_anomaly_shows_it_alone(lock: webdriver.Chrome) -> None:
    lock.find_element(By.CSS_SELECTOR, ".jump").click()
    start, end = view(lock)
    assert start < 12.0e6 < 13.1e6 < end
    assert end - start < 3e6
    assert state(lock, "state.chosen") >= 0


def test_the_keyboard_does_what_the_pointer_does(lock: webdriver.Chrome) -> None:
    whole = view(lock)
    press(lock, "+")
    zoomed = view(lock)
    assert zoomed[1] - zoomed[0] < whole[1] - whole[0]
    press(lock, Keys.ARROW_RIGHT)
    assert view(lock)[0] > zoomed[0]
    press(lock, "0")
    assert view(lock) == whole
    press(lock, "a")
    anomaly = state(lock, "state.chosen")
    press(lock, "n")
    following = state(lock, "state.chosen")
    assert following not in (-1, anomaly)
    press(lock, "p")
    assert state(lock, "state.chosen") == anomaly
    press(lock, Keys.ARROW_UP)
    lane, above = (f"run.laneOf[run.ops.process[{row}]]" for row in (anomaly, "state.chosen"))
    assert state(lock, above) == state(lock, lane) - 1
    press(lock, Keys.ESCAPE)
    assert state(lock, "state.chosen") == -1
    assert not lock.find_element(By.ID, "chosen").is_displayed()


def test_tab_reaches_the_timeline_and_leaves_it(lock: webdriver.Chrome) -> None:
    press(lock, Keys.TAB)
    assert lock.execute_script("return document.activeElement.id") != "stage"


def choose(driver: webdriver.Chrome, element: str, value: str) -> None:
    driver.execute_script(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('input', {bubbles: true}))",
        element,
        value,
    )


def count(driver: webdriver.Chrome) -> str:
    return driver.find_element(By.ID, "filter-count").text


def test_filters_by_client_type_node_key_and_outcome(lock: webdriver.Chrome) -> None:
    choose(lock, "filter-f", "0")
    assert count(lock) == "14 of 26 operations"
    choose(lock, "filter-node", "1")
    assert count(lock) == "3 of 26 operations"
    choose(lock, "filter-f", "")
    choose(lock, "filter-node", "")
    choose(lock, "filter-lane", "2")
    assert count(lock) == "5 of 26 operations"
    choose(lock, "filter-lane", "")
    choose(lock, "filter-key", "window")
    assert count(lock) == "0 of 26 operations"
    choose(lock, "filter-key", "door")
    assert count(lock) == "26 of 26 operations"
    lock.find_element(By.ID, "filter-ok").click()
    assert count(lock) == "2 of 26 operations"
    lock.find_element(By.CSS_SELECTOR, "#filters button[type=reset]").click()
    until(lock, "return document.getElementById('filter-count').textContent === ''")


def test_only_what_is_in_the_witness(lock: webdriver.Chrome) -> None:
    lock.find_element(By.ID, "filter-witness").click()
    assert count(lock) == "2 of 26 operations"


def test_the_table_has_what_the_picture_has(lock: webdriver.Chrome) -> None:
    lock.find_element(By.CSS_SELECTOR, "#table-pane summary").click()
    until(lock, "return document.querySelectorAll('#table-place tbody tr').length === 26")
    lock.find_element(By.ID, "filter-witness").click()
    until(lock, "return document.querySelectorAll('#table-place tbody tr').length === 2")
    assert '{"token":25}' in lock.find_element(By.ID, "table-place").text


def test_the_repeat_command_is_copied(lock: webdriver.Chrome) -> None:
    lock.find_element(By.ID, "copy").click()
    until(lock, "return document.getElementById('copied').textContent === 'copied'")
    assert lock.execute_script("return String(getSelection())").strip() == "windtunnel run lock --seed 7"


def background(driver: webdriver.Chrome) -> tuple[str, list[int]]:
    page_ = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    text = driver.execute_script(
        "const c = document.getElementById('timeline'), d = c.getContext('2d');"
        "const p = d.getImageData(0, 0, 110, c.height).data; let most = 0, least = 255;"
        "for (let i = 0; i < p.length; i += 4) if (p[i + 3] > 250) { most = Math.max(most, p[i]);"
        " least = Math.min(least, p[i]); } return [least, most]"
    )
    return page_, text


def test_dark_and_light_follow_the_system_and_the_canvas_with_them(lock: webdriver.Chrome) -> None:
    paper, (least, _) = background(lock)
    assert paper == "rgb(255, 255, 255)"
    assert least < 60
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    lock.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    state(lock, "0")
    paper, (_, most) = background(lock)
    assert paper == "rgb(15, 20, 25)"
    assert most > 200


def test_printed_it_is_black_on_white_and_without_controls(lock: webdriver.Chrome) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    lock.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    assert background(lock)[0] == "rgb(255, 255, 255)"
    assert not lock.find_element(By.ID, "filters").is_displayed()


EVIL = '</script><img src=x onerror="window.hacked=1">\'\u202emarks\x00end'


def evil() -> History:
    return history(
        [
            row(0.1, 0, "invoke", "say", EVIL, key=EVIL),
            row(0.2, 0, "ok", "say", EVIL, key=EVIL, node="n1"),
            row(0.3, 1, "invoke", "say", "y" * 1_000_000),
            row(0.4, 1, "info", "say", "y" * 1_000_000, error=EVIL),
        ]
    )


def test_hostile_values_are_text_and_nothing_else(browser: webdriver.Chrome, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page.write(material(evil(), logs={"n1": f"0.1 {EVIL}\n"}), path)
    open_page(browser, path, "#op=0")
    shown = browser.find_element(By.ID, "chosen").text
    assert '</script><img src=x onerror=\\"window.hacked=1\\">' in shown
    assert "\\u202emarks\\u0000end" in shown
    assert "<img" in browser.find_element(By.ID, "logs").text
    browser.find_element(By.CSS_SELECTOR, "#table-pane summary").click()
    until(browser, "return document.querySelectorAll('#table-place tbody tr').length === 2")
    assert browser.execute_script("return [window.hacked, document.images.length]") == [None, 0]
    assert path.stat().st_size < 300_000
    open_page(browser, path, "#op=2")
    assert "1,000,002 characters" in browser.find_element(By.ID, "chosen").text


def test_a_script_that_is_not_the_page_s_own_is_refused(lock: webdriver.Chrome) -> None:
    lock.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        "document.body.append(s)"
    )
    assert lock.execute_script("return window.hacked") is None
    (refusal,) = complaints(lock)
    assert "Content Security Policy" in refusal


def test_an_empty_history_has_a_page_that_works(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page.write(material(history([])), tmp_path / "report.html")
    open_page(browser, tmp_path / "report.html")
    press(browser, "+", "a", "n", Keys.ARROW_DOWN, Keys.ESCAPE)
    assert "The history is empty" in browser.find_element(By.TAG_NAME, "main").text
    assert complaints(browser) == []

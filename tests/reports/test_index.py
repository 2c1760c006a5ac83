from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from history.errors import StoreError
from reports import index
from reports.server import inside, server
from tests.reports.chromium import open_page, until
from windtunnel.cli import invoke
from windtunnel.spec import TestSpec
from windtunnel.stored import run_stored

GOOD = TestSpec(workload="uuid", seed=3, time_limit_s=3)
BAD = TestSpec(workload="snowflake", seed=1, mutant="snowflake-no-clock-guard")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good run, a bad one, one that is half written, and two files that belong to nobody."""
    root = tmp_path_factory.mktemp("runs")
    for spec in (GOOD, BAD):
        run_stored(spec, root)
    _, half = run_stored(GOOD, root)
    (half.path / "results.json").write_text('{"valid?": tr')
    (root / "notes.txt").write_text("mine")
    (root / "uuid" / "<b>.tmp").write_text("")
    (root / "uuid" / "empty").mkdir()
    return root


def test_every_run_is_listed_the_broken_ones_with_the_reason(store: Path) -> None:
    entries = {(entry.workload, entry.verdict): entry for entry in index.index(store).entries}
    assert len(entries) == 3
    assert entries["snowflake", "invalid"].anomaly == "non-monotonic"
    assert entries["snowflake", "invalid"].mutant == "snowflake-no-clock-guard"
    assert entries["uuid", "valid"].broken == ""
    broken = [entry.broken for entry in index.index(store).entries if entry.broken]
    assert any("results.json is not JSON" in reason for reason in broken)
    assert any("test.json cannot be read" in reason for reason in broken)


def test_runs_can_be_filtered_by_the_system_that_they_tested(tmp_path: Path) -> None:
    for system in (None, "zookeeper"):
        folder = tmp_path / "lock" / f"2026-{system}"
        folder.mkdir(parents=True)
        (folder / "test.json").write_bytes(
            orjson.dumps({"spec": {"workload": "lock", "system": system}})
        )
    found = index.index(tmp_path)
    assert found.systems == ("impl", "zookeeper")
    assert '<td data-of="system">zookeeper</td>' in index.html(found)
    assert '<select data-column="system">' in index.html(found)


def test_files_that_belong_to_no_run_are_named(store: Path) -> None:
    assert set(index.index(store).foreign) >= {"notes.txt", "uuid/<b>.tmp"}


def test_the_newest_run_comes_first(store: Path) -> None:
    names = [entry.name for entry in index.index(store).entries if entry.name != "empty"]
    assert names == sorted(names, reverse=True)


def test_a_store_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    assert "windtunnel run WORKLOAD" in index.html(index.index(tmp_path))


def test_static_files_are_complete_and_refer_to_each_other(store: Path) -> None:
    assert invoke(["index", str(store)]) == 0
    text = (store / "index.html").read_text()
    assert "<b>.tmp" not in text
    for entry in index.index(store).entries:
        assert not entry.href or (store / entry.href).is_file()
        assert not entry.href or entry.href in text


@pytest.fixture(scope="module")
def served(store: Path) -> Iterator[ThreadingHTTPServer]:
    with server(store, port=0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def get(served: ThreadingHTTPServer, path: str, host: str | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=10)
    headers = {} if host is None else {"Host": host}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_the_index_and_what_it_links_to_are_served(served: ThreadingHTTPServer, store: Path) -> None:
    status, type_, body = get(served, "/")
    assert (status, type_) == (200, "text/html; charset=utf-8")
    assert b"non-monotonic" in body
    for entry in index.index(store, every_page=True).entries:
        if entry.href:
            assert get(served, f"/{entry.href}")[0] == 200
            history = entry.href.replace("report.html", "history.jsonl")
            assert get(served, f"/{history}")[1] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/%2e%2e/secret",
        "/uuid/..%2f..%2fsecret",
        "/link/secret",
        "/.hidden",
        "/uuid/%00",
        "/a\\b",
    ],
)
def test_nothing_outside_the_store_is_served(
    served: ThreadingHTTPServer, store: Path, path: str
) -> None:
    (store.parent / "secret").write_text("secret")
    if not (store / "link").exists():
        (store / "link").symlink_to(store.parent)
    status, _, body = get(served, path)
    assert status in (403, 404)
    assert b"secret" not in body


def test_links_within_the_store_are_followed(store: Path) -> None:
    root = store.resolve()
    assert inside(root, "/latest/test.json") is not None
    assert inside(root, "/uuid/latest/../../../x") is None


def test_names_that_others_point_at_this_server_are_refused(served: ThreadingHTTPServer) -> None:
    assert get(served, "/", host="evil.example")[0] == 403
    assert get(served, "/", host=f"localhost:{served.server_port}")[0] == 200


def test_what_is_not_there_is_not_found(served: ThreadingHTTPServer) -> None:
    assert get(served, "/uuid/nothing/report.html")[0] == 404
    assert get(served, "/uuid")[0] == 404


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no store"):
        server(tmp_path / "missing")
    assert invoke(["index", str(tmp_path / "missing")]) == 254


def shown(driver: webdriver.Chrome) -> list[str]:
    rows = driver.find_elements(By.CSS_SELECTOR, "#runs tbody tr")
    return [
        row.find_element(By.CSS_SELECTOR, "[data-of=workload]").text
        for row in rows
        if row.is_displayed()
    ]


def test_the_list_is_searched_filtered_sorted_and_compared(
    browser: webdriver.Chrome, store: Path
) -> None:
    open_page(browser, index.write(store))
    assert len(shown(browser)) == 4
    browser.find_element(By.ID, "search").send_keys("clock-guard")
    assert shown(browser) == ["snowflake"]
    browser.find_element(By.CSS_SELECTOR, "#filters button").click()
    until(browser, "return document.getElementById('count').textContent === ''")
    browser.find_element(By.CSS_SELECTOR, "[data-sort=workload]").click()
    assert shown(browser)[0] == "snowflake"
    browser.find_element(By.CSS_SELECTOR, "[data-sort=workload]").click()
    assert shown(browser)[0] == "uuid"
    boxes = browser.find_elements(By.CSS_SELECTOR, ".compare")
    boxes[-1].click()
    boxes[0].click()
    comparison = browser.find_element(By.ID, "comparison").text
    assert "facts differ" in comparison
    assert "snowflake-no-clock-guard" in comparison

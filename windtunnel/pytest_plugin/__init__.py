"""The pytest plugin: the mark ``windtunnel``, the fixture ``windtunnel``, and the options of both.

::

    @pytest.mark.windtunnel(nodes=3, nemesis="partition,kill", seeds=200)
    def test_no_id_twice(windtunnel):
        windtunnel.run(wt.system(node), wt.workload(client=MyClient, generator=wt.repeat("next"), ...))

Registered as an entry point, so installing windtunnel is all it takes. Nothing of the harness is
imported before a test asks for the fixture. See ``docs/pytest.md``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from windtunnel.pytest_plugin import memory, summary
from windtunnel.pytest_plugin.options import add_options

if TYPE_CHECKING:
    from windtunnel.pytest_plugin.tunnel import Tunnel

FIXTURE = MARK = "windtunnel"
LINE = (
    "windtunnel(workload, nemesis, seeds, nodes, ...): what windtunnel.run() of this test runs, under "
    "which faults, from how many seeds; see docs/pytest.md"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--windtunnel-seeds`` and the others."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark; for ``--windtunnel-cluster local``, start again in private namespaces."""
    config.addinivalue_line("markers", LINE)
    config.pluginmanager.register(memory.Memory(config), "windtunnel-memory")
    config.pluginmanager.register(summary.Summary(), "windtunnel-summary")
    if config.getoption("windtunnel_cluster") == "local":
        _enter_namespaces(config)


@pytest.fixture
def windtunnel(request: pytest.FixtureRequest) -> Tunnel:
    """Runs a system under faults, from many seeds: ``windtunnel.run(system, workload)``."""
    from windtunnel.pytest_plugin.tunnel import Tunnel

    return Tunnel(request)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A mark without the fixture would be a test that tests nothing."""
    if item.get_closest_marker(MARK) and FIXTURE not in getattr(item, "fixturenames", ()):
        pytest.fail(
            f"{item.name} is marked windtunnel and does not take the fixture: write "
            f"def {getattr(item, 'originalname', item.name)}(windtunnel) and call windtunnel.run(...)",
            pytrace=False,
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """So would be the fixture without a run."""
    result = yield
    tunnel = getattr(item, "funcargs", {}).get(FIXTURE)
    if tunnel is not None and not tunnel.used:
        pytest.fail(
            f"{item.name} never called windtunnel.run(...), so nothing was tested.", pytrace=False
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Attach the page of a failing run, for plugins that show extras, as pytest-html does."""
    report = yield
    path = dict(item.user_properties).get(summary.PAGE)
    if report.when == "call" and path and item.config.pluginmanager.hasplugin("html"):
        from pytest_html import extras

        report.extras = [*getattr(report, "extras", []), extras.url(path, name="windtunnel report")]
    return report


def _enter_namespaces(config: pytest.Config) -> None:
    from cluster.local import namespace
    from cluster.real.errors import ClusterError

    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("--windtunnel-cluster local runs one test at a time: leave out -n.")
    if namespace.inside():
        return
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    os.environ.setdefault("PYTHONHASHSEED", "0")
    try:
        namespace.enter([sys.executable, *sys.orig_argv[1:]])
    except ClusterError as error:
        raise pytest.UsageError(str(error)) from None

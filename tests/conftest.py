"""Options of the whole suite: which tests run, and that none is left out in silence."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from huggingface_hub.utils import _detect_agent
from hypothesis import settings

import sandbox

# Reasons (beginnings of them) a test may be skipped for, by platform. On Linux every test can run,
# but for those of the client's sandbox where the machine gives no user namespaces, and of the templates where no torch
# for the CPU can be had.
ALLOWED_SKIPS: dict[str, tuple[str, ...]] = {
    "linux": (),
    "darwin": ("needs Linux",),
}
_DESELECTED = "ml_research_deselected"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ml-research")
    group.addoption("--long", action="store_true", help="also run the tests marked `long`")
    group.addoption("--refuse-skips", action="store_true", help="fail on a skip that is not in ALLOWED_SKIPS")


def pytest_configure(config: pytest.Config) -> None:
    """The same examples each time, however slow the machine is; --long looks for new ones."""
    is_long = config.getoption("--long", default=False)
    settings.register_profile("suite", deadline=None, derandomize=not is_long, database=None)
    settings.load_profile("suite")
    # the Hub's client asks once a day which agents there are: that request would fall into whichever test came first
    _detect_agent._registry = {"standardEnvVars": [], "harnesses": {}}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        workeroutput = getattr(config, "workeroutput", None)
        if workeroutput is not None:
            workeroutput[_DESELECTED] = len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Bring the count of left-out tests from a worker to the closing line, where xdist loses it."""
    count = getattr(node, "workeroutput", {}).get(_DESELECTED, 0)
    reporter = getattr(node, "config").pluginmanager.get_plugin("terminalreporter")  # noqa: B009
    if count and reporter is not None:
        reporter.stats["deselected"] = [SimpleNamespace() for _ in range(count)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--refuse-skips"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker: the controller sees every report
        return
    refused = sorted({line for report in reporter.stats.get("skipped", []) for line in _refused(report)})
    if refused:
        reporter.section("skips that are not allowed here")
        for line in refused:
            reporter.write_line(line)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _refused(report: pytest.TestReport) -> list[str]:
    if hasattr(report, "wasxfail") or not isinstance(report.longrepr, tuple):
        return []
    path, line, reason = report.longrepr
    reason = str(reason).removeprefix("Skipped: ")
    allowed = ALLOWED_SKIPS.get(sys.platform, ())
    if sys.platform == "linux" and sandbox.missing():
        allowed += (sandbox.NEEDED,)
    if "torch" in reason:
        import template_env

        allowed += (template_env.NEEDED,) if template_env.missing() else ()
    return [] if reason.startswith(allowed) else [f"{path}:{line}: {reason}"]

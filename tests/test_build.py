"""Which receiver this is: its commit from a checkout or a wheel, and from nothing that it happens to lie in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from receiver import build
from tests.notices import PATH, notices
from tests.processes import run

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation of its own, in a repository of somebody else's."""
    package = tmp_path / "somebodys" / "installed" / "receiver"
    package.mkdir(parents=True)
    _commit(tmp_path / "somebodys")
    monkeypatch.setattr(build, "_PACKAGE", package)
    monkeypatch.setattr(build, "_BUILT_FROM", package / "COMMIT")
    build.commit.cache_clear()
    yield package
    build.commit.cache_clear()


def _commit(repository: Path) -> str:
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "--allow-empty", "-m", "all")):
        subprocess.run([*GIT, *arguments], cwd=repository, check=True)
    told = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True)
    return told.stdout[:12]


def test_a_wheel_says_what_it_was_built_from(package: Path) -> None:
    (package / "COMMIT").write_text("0123456789ab\n")
    assert build.name() == f"{build.VERSION} (0123456789ab)"


def test_a_checkout_says_its_commit_and_whether_it_was_changed(package: Path) -> None:
    (package / "code").write_text("one")
    commit = _commit(package.parent)
    assert build.name() == f"{build.VERSION} ({commit})"
    build.commit.cache_clear()
    (package / "code").write_text("another")
    assert build.commit() == f"{commit}-dirty"


@pytest.mark.usefixtures("package")
def test_an_installation_within_somebody_elses_repository_names_no_commit() -> None:
    assert build.name() == build.VERSION


def test_the_command_line_tells_it() -> None:
    assert run("receiver", "--version", text=True).stdout == f"receiver {build.name()}\n"


def test_the_notices_name_what_is_pinned() -> None:
    assert PATH.read_text() == notices(), "make notices"

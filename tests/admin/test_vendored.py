"""What others wrote is carried along as they published it, with its licence, and nothing beside it."""

from pathlib import Path

import pytest

from tests.vendored import FOLDERS, MANIFEST, vendored


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parts[-3])
def test_every_file_is_as_it_was_published(folder: Path) -> None:
    files = list(vendored(folder))
    assert [file.path.name for file in files if not file.is_as_fetched] == []
    assert {path.name for path in folder.iterdir()} == {file.path.name for file in files} | {MANIFEST}
    for package in {file.package for file in files}:
        assert any("LICENSE" in file.origin for file in files if file.package == package), package

"""A short random run of faults: ``make chaos`` and ``make soak`` are longer, and each time another."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.scene import Engine

pytestmark = pytest.mark.slow  # the whole file: it is begun with


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_random_run_of_faults_loses_nothing_and_prints_its_account(engine: Engine) -> None:
    command = [sys.executable, "-m", "tests.faults.chaos", "--seconds", "8", "--seed", "7", "--database", engine]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "acknowledged and lost: 0\n" in done.stdout
    assert "ledger: verified\n" in done.stdout

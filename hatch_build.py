"""What a wheel has beside the files of the checkout: the commit that it is built from, and the manual page."""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuiltFiles(BuildHookInterface[Any]):
    """``receiver/COMMIT``, from ``RECEIVER_COMMIT`` where there is no repository; ``make wheel`` writes the manual."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        built = Path(self.root, "build")
        built.mkdir(exist_ok=True)
        if commit := os.environ.get("RECEIVER_COMMIT") or self._of_checkout():
            (ours := built / f"COMMIT.{os.getpid()}").write_text(f"{commit}\n")
            ours.replace(built / "COMMIT")  # whoever builds at the same time finds it whole
            build_data["force_include"][str(built / "COMMIT")] = "receiver/COMMIT"
        manual = built / "receiver.1"
        if manual.exists():
            build_data["shared_data"][str(manual)] = "share/man/man1/receiver.1"

    def _of_checkout(self) -> str:
        if not Path(self.root, ".git").exists():
            return ""
        describe = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        return subprocess.run(describe, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

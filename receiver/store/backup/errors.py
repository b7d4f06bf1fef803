"""What is wrong with a backup, or with where it is to go; none quotes a row."""


class BackupError(Exception):
    """Nothing was changed."""


class Broken(BackupError):
    """The file is no backup, was cut off, or is not what was written."""


class Unfit(BackupError):
    """The backup is whole, and this receiver or this database can't take it."""


class NotEmpty(BackupError):
    """There are rows already where it was to go."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(f"there are rows in {', '.join(tables)}")
        self.tables = tables

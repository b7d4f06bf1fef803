"""The receiver, whose admin side gives a request one second where it would give a minute."""

from receiver import cli
from receiver.admin import worker

if __name__ == "__main__":
    worker._REQUEST_SECONDS = 1.0
    cli.main()

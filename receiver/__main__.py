"""``python -m receiver``: the command line."""

from receiver.cli import main

if __name__ == "__main__":
    main()

"""One target under the fuzzer: ``python -m tests.fuzzing.one NAME``, then what libFuzzer takes."""

import sys

import atheris

if __name__ == "__main__":
    with atheris.instrument_imports(include=["receiver", "gunicorn.http"]):
        from tests.fuzzing.targets import TARGETS

    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()

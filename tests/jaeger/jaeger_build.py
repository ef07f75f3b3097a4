"""Builds Jaeger from its Go module, which is the only package that has it: `python jaeger_build.py .jaeger/jaeger`.

Jaeger 2.13.0 is tagged v1.76.0 as a Go module, and no later version is tagged as one. Its `go.mod` replaces a module,
so `go install` refuses it. It is therefore built in its own folder of the module cache, with its own `go.sum`. The
pages of its user interface are not in the module; its APIs are.

With `--check` nothing is built: the exit status says whether it could be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = "github.com/jaegertracing/jaeger@v1.76.0"
JAEGER = "2.13.0"
GO = (1, 25, 4)
"""What Jaeger's own `go.mod` names as its toolchain."""

CONTAINER = (
    "docker run --rm -p 127.0.0.1:16686:16686 -p 127.0.0.1:4317:4317 -p 127.0.0.1:4318:4318"
    f" jaegertracing/jaeger:{JAEGER}"
)


class CannotBuild(Exception):
    """Says what is missing, and what to do."""


def build(target: Path) -> None:
    """Build it, in some minutes.

    Raises:
        CannotBuild: there is no Go, or not the right one; or Go failed.
    """
    check_go()
    folder = json.loads(_go("mod", "download", "-json", MODULE))["Dir"]
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    print(f"Building Jaeger {JAEGER} (once, some minutes) ...", flush=True)  # noqa: T201 - a command prints
    _go("build", "-trimpath", "-buildvcs=false", "-o", str(unfinished.absolute()), "./cmd/jaeger", folder=folder)
    unfinished.replace(target)


def check_go() -> None:
    """Make sure that there is a Go that can build it.

    Raises:
        CannotBuild: there is none.
    """
    needed = ".".join(map(str, GO))
    if shutil.which("go") is None:
        raise CannotBuild(f"Jaeger is built with Go {needed} or newer, and no `go` is on the PATH")
    said = _go("version")
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    if found is None or tuple(int(part or 0) for part in found.groups()) < GO:
        raise CannotBuild(f"Jaeger is built with Go {needed} or newer, and `go version` says: {said.strip()}")


def _go(*arguments: str, folder: str | None = None) -> str:
    # The toolchain that is there, and no C compiler.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    done = subprocess.run(["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"`go {' '.join(arguments[:2])}` failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def main() -> str | None:
    """What to exit with: nothing if all went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", type=Path, nargs="?", default=Path(".jaeger/jaeger"))
    parser.add_argument("--check", action="store_true", help="only say whether it could be built")
    options = parser.parse_args()
    try:
        if options.check:
            check_go()
        else:
            build(options.target)
    except CannotBuild as error:
        return (
            str(error)
            if options.check
            else f"{error}\nA Jaeger, with its pages, comes in a container, too:\n  {CONTAINER}"
        )
    return None


if __name__ == "__main__":
    sys.exit(main())

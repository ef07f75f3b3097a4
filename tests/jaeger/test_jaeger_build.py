"""What building Jaeger asks of Go, and what it says where there is none: with a `go` of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("jaeger_build.py")
ROOT = Path(__file__).parents[2]
GOOD = "go version go1.26.8 linux/amd64"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the go of these tests is a shell script")


@pytest.fixture
def folder(tmp_path):
    """A PATH with nothing on it."""
    (tmp_path / "bin").mkdir()
    return tmp_path


@pytest.fixture
def build(folder):
    """Runs the script where `folder` is the whole PATH."""

    def build(*arguments):
        return subprocess.run(
            [sys.executable, SCRIPT, *arguments],
            env={"PATH": str(folder / "bin")},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return build


def put_go(folder, version=GOOD, *, download="exit 1", compile_="exit 1"):
    """A `go` that says this of its version, and does this when it is to download and to build."""
    go = folder / "bin" / "go"
    go.write_text(
        f'#!/bin/sh\ncase "$1" in\nversion) echo {version!r};;\nmod) {download};;\nbuild) {compile_};;\nesac\n'
    )
    go.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (None, "no `go` is on the PATH"),
        ("go version go1.19.8 linux/amd64", "`go version` says: go version go1.19.8 linux/amd64"),
        ("go version go1.25.3 linux/amd64", "says: go version go1.25.3"),
        ("go version devel", "says: go version devel"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_without_a_go_that_can_build_it_says_so_and_what_to_do(build, folder, *, version, said, check):
    if version is not None:
        put_go(folder, version)
    done = build(*(["--check"] if check else []))
    assert done.returncode == 1
    assert done.stderr.startswith("Jaeger is built with Go 1.25.4 or newer, and ")
    assert said in done.stderr
    assert ("docker run --rm -p 127.0.0.1:16686:16686" in done.stderr) is not check
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("version", ["go1.25.4", "go1.25.10", "go1.26", "go2.0.1"])
def test_a_go_that_is_new_enough_will_do(build, folder, version):
    put_go(folder, f"go version {version} linux/amd64")
    done = build("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_built_in_the_modules_own_folder_without_a_c_compiler(build, folder):
    module = folder / "module"
    module.mkdir()
    put_go(
        folder,
        download=f"echo '{json.dumps({'Dir': str(module)})}'",
        compile_='echo "$(pwd) $GOTOOLCHAIN $CGO_ENABLED $*" > "$5"',
    )
    done = build("out/jaeger")
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = (folder / "out").iterdir()
    assert said.name == "jaeger"
    assert said.read_text().startswith(f"{module} local 0 build -trimpath ")


@pytest.mark.parametrize("step", ["download", "compile_"])
def test_what_go_says_of_its_failure_is_shown_and_nothing_half_done_is_left(build, folder, step):
    steps = {"download": f"echo '{json.dumps({'Dir': str(folder)})}'", step: "echo the network is down >&2; exit 1"}
    put_go(folder, **steps)
    done = build("jaeger")
    assert done.returncode == 1
    assert "the network is down" in done.stderr
    assert "docker run" in done.stderr
    assert not (folder / "jaeger").exists()


def test_a_plain_run_of_the_tests_needs_no_jaeger_and_asks_their_own_store():
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/jaeger"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    assert "[receiver-" in listed
    assert "[jaeger-" not in listed

"""Dockerfile and deploy/compose.yaml: what they run exists; where there is a builder, the image is built and run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from logagg.cli import COMMANDS, logagg
from tests.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def commands() -> list[list[str]]:
    """Return the command lines of logagg in the image and in the services."""
    found: list[list[str]] = [json.loads(one) for one in re.findall(r"(?m)^CMD (\[.*\])$", DOCKERFILE)]
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    return found + [one["command"] for one in services.values() if one["image"] == "logagg"]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_and_options_exist(command: list[str]) -> None:
    name, *arguments = command
    assert name in COMMANDS
    found = logagg.get_command(None, name)  # type: ignore[arg-type]
    assert found
    found.make_context(name, [one for one in arguments if one != "--wait"])


def test_each_container_can_read_what_it_needs() -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    for name, service in compose["services"].items():
        for volume in service["volumes"]:
            assert volume.split(":")[0] in compose["volumes"], name
    home = re.search(r"--home-dir (\S+)", DOCKERFILE)
    assert home and f"LOGAGG_LAKE={home[1]}/lake" in DOCKERFILE and f"VOLUME {home[1]}" in DOCKERFILE


def has_builder() -> bool:
    return (
        shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    )


@pytest.mark.soak
@pytest.mark.skipif(not has_builder(), reason="no Docker engine runs here")
def test_the_image_runs() -> None:
    subprocess.run(["docker", "build", "-t", "logagg-test", ROOT], check=True)
    done = subprocess.run(
        ["docker", "run", "--rm", "logagg-test", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("logagg, version")

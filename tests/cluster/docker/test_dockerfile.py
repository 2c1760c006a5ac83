"""The Dockerfile makes what the build from Debian's packages makes, as far as it can be read."""

from __future__ import annotations

import re

from cluster.docker import debian, image

LINES = re.sub(r"\\\n\s*", "", image._DOCKERFILE.read_text()).splitlines()


def arguments_of(word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def test_it_begins_with_the_image_that_is_looked_for_in_the_registry() -> None:
    assert arguments_of("FROM") == [":".join(image._PYTHON_IMAGE)]


def test_it_installs_all_packages_and_all_libraries_that_it_is_told() -> None:
    """``docker build`` is given both, from the same two lists as debootstrap and pip are."""
    assert arguments_of("ARG") == ["PACKAGES", "REQUIREMENTS"]
    packages, libraries = arguments_of("RUN")
    assert re.search(r"apt-get update\s+&& apt-get install --yes \S+ \$PACKAGES\s", packages)
    assert re.search(r"^pip install --no-cache-dir \$REQUIREMENTS$", libraries)
    assert set(image.PACKAGES) == {"iptables", "libfaketime", "iproute2"}


def test_programs_and_libraries_are_found_in_the_same_places() -> None:
    (environment,) = arguments_of("ENV")
    assert f"ENV {environment}" in debian._CHANGES
    assert f"/{debian.HOME}" == image.HOME
    assert image.HOME in environment


def test_nothing_in_it_needs_a_network_when_a_node_starts() -> None:
    assert not any(line.startswith(("CMD", "ENTRYPOINT", "ADD", "ONBUILD")) for line in LINES)

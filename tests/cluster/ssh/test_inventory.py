"""The inventory file: what it may hold, and one sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.real.errors import ClusterError
from cluster.ssh import read_inventory

TWO = '[nodes.n1]\nhost = "h1"\n[nodes.n2]\nhost = "h2"\n'


def written(place: Path, text: str) -> Path:
    path = place / "hosts.toml"
    path.write_text(text)
    return path


def test_what_stands_at_the_top_holds_unless_a_node_says_otherwise(tmp_path: Path) -> None:
    text = f'user = "root"\nkey = "id"\n{TWO}user = "ann"\nport = 2222\nports = {{ 8080 = 18080 }}\n'
    hosts = read_inventory(written(tmp_path, text)).hosts
    assert (hosts["n1"].user, hosts["n1"].port, hosts["n1"].address) == ("root", 22, "h1")
    assert (hosts["n2"].user, hosts["n2"].port, hosts["n2"].ports) == ("ann", 2222, {8080: 18080})
    assert hosts["n1"].key == tmp_path / "id"
    assert str(hosts["n2"]) == "ann@h2 port 2222"


def test_passwords_come_from_the_environment_and_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESAME", "open")
    host = read_inventory(written(tmp_path, f'sudo_password_env = "SESAME"\n{TWO}')).hosts["n1"]
    assert host.sudo_password == "open"
    assert "open" not in repr(host)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no node: write"),
        ("nodes = 5", "names no node: write"),
        ("[nodes.n1", "is not TOML"),
        ("[nodes.n1]\nport = 22", r"\[nodes.n1\] has no host"),
        (f'password = "x"\n{TWO}', "its top has a password: put it into a variable"),
        (f"{TWO}colour = 1", r"\[nodes.n2\] has 'colour'; possible are host, port"),
        (f'{TWO}port = "22"', r"port of \[nodes.n2\] must be a int"),
        (f'host_keys = "all"\n{TWO}', "host_keys of its top must be one of known, any"),
        (f'{TWO}address = "h1"', "n1 and n2 are the same machine, h1"),
        (f"{TWO}ports = {{ a = 1 }}", r"ports of \[nodes.n2\] must be numbers"),
        (f'password_env = "NOT_SET_ANYWHERE"\n{TWO}', "NOT_SET_ANYWHERE, which is not set: export it"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ClusterError, match=sentence) as caught:
        read_inventory(written(tmp_path, text))
    assert "hosts.toml" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"none.toml cannot be read: No such file"):
        read_inventory(tmp_path / "none.toml")


def test_a_node_that_is_not_in_it_is_said(tmp_path: Path) -> None:
    inventory = read_inventory(written(tmp_path, TWO))
    with pytest.raises(ClusterError, match=r"there is no \[nodes.n3\].*--nodes n1,n2"):
        inventory.of(("n1", "n2", "n3"))

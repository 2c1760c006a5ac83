"""Called in place of ``java`` by kazoo's tests: starts the server that ``WINDTUNNEL_SERVER`` names.

The arguments are those of a JVM: properties ``-Dkey=value``, a class, and last the ``zoo.cfg``. ``ours``
wants PEM files where kazoo writes Java's key stores; ``debian`` is the real server, which has to be
told to listen on loopback only. Neither comes back: the process becomes the server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ADDRESSES = (
    "clientPortAddress=127.0.0.1\nsecureClientPortAddress=127.0.0.1\nadmin.serverAddress=127.0.0.1\n"
)
_STORES = {"ssl.keyStore.location": "certificate.pem", "ssl.trustStore.location": "trusted.pem"}
_PASSWORD = "ssl.keyStore.password"


def main(arguments: list[str]) -> None:
    """Become the server that ``arguments`` describe."""
    config = Path(arguments[-1])
    if os.environ["WINDTUNNEL_SERVER"] == "debian":
        config.write_text(config.read_text() + ADDRESSES)
        java = os.environ["WINDTUNNEL_JAVA"]
        os.execv(java, [java, "-Xmx256m", *arguments])
    os.chdir(os.environ["WINDTUNNEL_ROOT"])
    python = os.environ["WINDTUNNEL_PYTHON"]
    properties = [each for each in arguments[:-1] if each.startswith("-D")]
    os.execv(python, [python, "-m", "impl.coordination", *properties, _with_pem(config)])


def _with_pem(config: Path) -> str:
    """A copy of ``config`` that names PEM files; they are made beside it unless they are there."""
    values = dict(line.partition("=")[::2] for line in config.read_text().splitlines())
    for key, name in _STORES.items():
        pem = config.with_name(name)
        if not pem.exists():
            pem.write_text(_pem(values[key], values[_PASSWORD]))
        values[key] = str(pem)
    copy = config.with_name("zoo-pem.cfg")
    copy.write_text("".join(f"{key}={value}\n" for key, value in values.items() if key))
    return str(copy)


def _pem(path: str, password: str) -> str:
    """All private keys and certificates of one of Java's key stores."""
    import jks  # only here: the real server starts without it
    import OpenSSL.crypto as crypto

    store = jks.KeyStore.load(path, password)
    pieces = []
    for entry in store.private_keys.values():
        key = crypto.load_privatekey(crypto.FILETYPE_ASN1, entry.pkey)
        pieces.append(crypto.dump_privatekey(crypto.FILETYPE_PEM, key))
        pieces += [_certificate(crypto, certificate) for _, certificate in entry.cert_chain]
    pieces += [_certificate(crypto, entry.cert) for entry in store.certs.values()]
    return b"".join(pieces).decode()


def _certificate(crypto, content: bytes) -> bytes:
    parsed = crypto.load_certificate(crypto.FILETYPE_ASN1, content)
    return crypto.dump_certificate(crypto.FILETYPE_PEM, parsed)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Makes a hostile file of a sound one; a function of the random stream alone."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.serialization
import numpy as np
import yaml

from attack.samples import Sample
from bb_jax.policies.policy_file import policy_hash

DEPTH = 10_000
#: A file that code in a hostile file would make, in the folder beside the reader's.
EXECUTED = "executed"
#: Names that lead out of the reader's folder.
OUTSIDE = ("../outside/victim", "../../../../../../tmp/victim", "/etc/passwd", "~root/x", "..")

_SIZES = (2**63, 2**63 - 1, -(2**63), 2**64 - 1, 2**31, -1, 0, 10**400)
_BAD_TEXTS = ("", "\0", "a\nb\nc", "\ud800", "x" * 100_000, "[bold]", "\x1b[2J", *OUTSIDE)
# Lengths as MessagePack writes them: texts, bytes, lists, maps and extensions of 2^32 - 1 entries,
# the largest integers, and bytes without a meaning.
_BAD_BYTES = (
    b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xcf\x80" + bytes(7),
    b"\xcf" + b"\xff" * 8, b"\xc1", b"\xff" * 9, bytes(9), b"\n\n", b"\x80", b"{", b"]", b'"',
)  # fmt: skip
_EXECUTING = f"!!python/object/apply:os.system ['touch ../outside/{EXECUTED}']"
_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
_YAML_TEXTS = (
    f"seed: {_EXECUTING}\n", f"{_EXECUTING}\n", _BOMB, "a: &a [*a]\n", "a: &a {b: *a}\n",
    "seed: &a {<<: *a}\n", "? [1, 2]\n: 3\n", "? {a: b}\n: 3\n", "seed: !!binary '%%%'\n",
    "seed: 2026-99-99\n", "seed: !!timestamp x\n", "%YAML 9.9\n---\nseed: 1\n", "--- a\n--- b\n",
    "seed: 0x" + "f" * 5000 + "\n", "seed: " + "9" * 5000 + "\n", "seed: 1:60:99:1\n",
    "checkpoint_dir: \"a\\0b\"\n", "seed: 1e999999999\n", "\ufeffseed: 1\n", "seed: !!set {a, b}\n",
    "null: 1\n", "1.5: 2\n", "seed: {<<: 3}\n", "<<: [{seed: 1}]\n",
    "seed: !!python/name:os.system\n",
)  # fmt: skip


def write_hostile(path: Path, sample: Sample, rng: random.Random) -> str:
    """Writes a hostile file of a sample's kind; returns what was done to it."""
    if rng.random() < 0.1:
        special = rng.choice(_SPECIAL)
        special(path, sample)
        return special.__name__.strip("_").replace("_", " ")
    name, content = _hostile_content(sample, rng)
    path.write_bytes(content)
    return name


def _hostile_content(sample: Sample, rng: random.Random) -> tuple[str, bytes]:
    choice = rng.random()
    if choice < 0.4:
        mutate = rng.choice(_BYTE_MUTATIONS)
        content = mutate(sample.content, rng)
        return mutate.__name__.strip("_").replace("_", " "), content
    if choice < 0.5:
        return "deep nesting", _deep(sample, rng)
    if sample.form == "bytes":
        return "hostile bytes", _hostile_bytes(sample.content, rng)
    if sample.form == "yaml" and choice < 0.7:
        return "hostile YAML", rng.choice(_YAML_TEXTS).encode()
    return "hostile values", _with_hostile_values(sample, rng)


# ---------------------------------------------------------------------------------------------
# Bytes
# ---------------------------------------------------------------------------------------------


def _flipped_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncation(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _missing_part(content: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:first] + content[last:]


def _repeated_part(content: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:last] + content[first:]


def _hostile_bytes(content: bytes, rng: random.Random) -> bytes:
    at, part = rng.randrange(len(content)), rng.choice(_BAD_BYTES)
    return content[:at] + part + content[at + rng.choice((0, len(part))) :]


_BYTE_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flipped_bits, _truncation, _missing_part, _repeated_part, _hostile_bytes,
)  # fmt: skip


def _deep(sample: Sample, rng: random.Random) -> bytes:
    """A value nested `DEPTH` deep, as the file or inside it."""
    if sample.form in ("messagepack", "packed"):
        nested = rng.choice((b"\x91", b"\x81\xa1a")) * DEPTH + b"\xc0"
        if rng.random() < 0.3:
            return nested
        # The map begins with its number of entries.
        return bytes([sample.content[0] + 1]) + b"\xa1a" + nested + sample.content[1:]
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    nested = (opening * DEPTH + "1" + closing * rng.choice((0, DEPTH))).encode()
    if sample.form == "yaml":
        return rng.choice((b"", b"seed: ", b"ppo_config: ")) + nested
    if rng.random() < 0.3:
        return nested
    return sample.content.replace(b"{", b'{"a":' + nested + b",", 1)


# ---------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------


def _with_hostile_values(sample: Sample, rng: random.Random) -> bytes:
    """The sample with some values replaced, and hashes and checksums that fit again."""
    if sample.form == "lines":
        rows = [json.loads(line) for line in sample.content.splitlines()]
        return b"".join(_json(row) + b"\n" for row in _changed(rows, rng, list))
    if sample.form == "partial":
        head, _, body = sample.content.partition(b"\n")
        body = body[: rng.randrange(len(body) + 1)] * rng.choice((1, 1, 3))
        header = json.loads(head) | {"checksum": zlib.crc32(body)}
        if rng.random() < 0.5:
            return _json(_changed(header, rng)) + b"\n" + body
        return _json(header) + b"\n" + body
    if sample.form == "yaml":
        changed = _changed(yaml.safe_load(sample.content), rng)
        return yaml.dump(changed, allow_unicode=True).encode("utf-8", "surrogatepass")
    if sample.form == "json":
        return _json(_changed(json.loads(sample.content), rng))
    return _sealed(flax.serialization.msgpack_restore(sample.content), rng)


def _sealed(content: dict[str, Any], rng: random.Random) -> bytes:
    """A changed policy or packed state whose hash and checksum are right."""
    content = dict(content)
    texts = {key: json.loads(content[key]) for key in ("network", "metadata")}
    key = rng.choice(("network", "network", "metadata", "params", "training", "top"))
    if key in texts:
        content[key] = json.dumps(_changed(texts[key], rng))
    elif key == "params":
        content["params"] = _changed(content["params"], rng, dict)
        # Parameters that have no hash are hostile too.
        try:
            content["hash"] = policy_hash(content["params"])
        except Exception:
            content["hash"] = "0" * 16
    elif key == "training" and "training" in content:
        training = dict(flax.serialization.msgpack_restore(content["training"]))
        if rng.random() < 0.7:
            training["host"] = json.dumps(_changed(json.loads(training["host"]), rng))
        else:
            training = _changed(training, rng)
        content["training"] = _pack(training)
    else:
        content = _changed(content, rng, dict)
    if "checksum" in content:
        content.pop("checksum")
        content["checksum"] = hashlib.sha256(_pack(content)).hexdigest()
    return _pack(content)


def _pack(content: Any) -> bytes:
    """MessagePack as flax writes it; numbers that do not fit are cut, texts are made UTF-8."""

    def fit(value: Any) -> Any:
        if isinstance(value, dict):
            return {fit(key): fit(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [fit(entry) for entry in value]
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        if isinstance(value, int) and not isinstance(value, bool):
            return max(-(2**63), min(2**64 - 1, value))
        return value

    return flax.serialization.msgpack_serialize(fit(content))


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _changed(content: Any, rng: random.Random, kind: type | None = None) -> Any:
    """A copy in which one to three values are replaced, removed or added."""
    changed = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = rng.choice(places)
        what = rng.random()
        if what < 0.15:
            del holder[key]
        elif what < 0.25 and isinstance(holder, dict):
            holder[_hostile_value(rng, texts_only=True)] = holder[key]
        else:
            holder[key] = _hostile_value(rng)
    if kind is None and rng.random() < 0.05:
        return _hostile_value(rng)
    return changed


def _places(content: Any) -> Any:
    """Every container in a tree with each of its keys."""
    entries = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in entries:
        yield content, key
        yield from _places(value)


def _hostile_value(rng: random.Random, texts_only: bool = False) -> Any:
    if texts_only or rng.random() < 0.3:
        return rng.choice(_BAD_TEXTS)
    if rng.random() < 0.4:
        return rng.choice(_SIZES)
    return rng.choice(
        (None, True, 1.5, 1e308, float("nan"), float("inf"), [], {}, [1, 2, 3], [[]], {"a": 1},
         [2**40] * 3, [0], [1] * 10_000, {"0": "x"}, "1", -0.0)
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------
# What is no regular file
# ---------------------------------------------------------------------------------------------


def _outside() -> Path:
    """A folder beside the reader's, which is the working directory."""
    return Path.cwd().parent / "outside"


def _fifo(path: Path, _: Sample) -> None:
    os.mkfifo(path)


def _link_to_a_fifo(path: Path, _: Sample) -> None:
    path.symlink_to("pipe")
    os.mkfifo(path.with_name("pipe"))


def _link_to_zeros(path: Path, _: Sample) -> None:
    path.symlink_to("/dev/zero")


def _link_to_nothing(path: Path, _: Sample) -> None:
    path.symlink_to("/dev/null")


def _link_to_a_full_device(path: Path, _: Sample) -> None:
    path.symlink_to("/dev/full")


def _link_to_itself(path: Path, _: Sample) -> None:
    path.symlink_to(path.name)


def _broken_link(path: Path, _: Sample) -> None:
    path.symlink_to(_outside() / "missing")


def _link_out(path: Path, sample: Sample) -> None:
    (_outside() / "victim").write_bytes(sample.content)
    path.symlink_to(_outside() / "victim")


def _link_to_a_folder(path: Path, _: Sample) -> None:
    path.symlink_to(_outside())


def _folder(path: Path, _: Sample) -> None:
    path.mkdir()


def _socket(path: Path, _: Sample) -> None:
    # The path of a socket may not be long.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def _sparse_terabyte(path: Path, _: Sample) -> None:
    path.touch()
    os.truncate(path, 2**40)


def _terminal(path: Path, _: Sample) -> None:
    path.symlink_to("/dev/ptmx")


def _zeros(path: Path, _: Sample) -> None:
    path.write_bytes(bytes(100_000))


def _random_bytes(path: Path, sample: Sample) -> None:
    seed = zlib.crc32(sample.content)
    path.write_bytes(np.random.default_rng(seed).bytes(10_000))


_SPECIAL: tuple[Callable[[Path, Sample], None], ...] = (
    _fifo, _link_to_a_fifo, _link_to_zeros, _link_to_nothing, _link_to_a_full_device,
    _link_to_itself, _broken_link, _link_out, _link_to_a_folder, _folder, _socket,
    _sparse_terabyte, _terminal, _zeros, _random_bytes,
)  # fmt: skip

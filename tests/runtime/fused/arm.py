"""Generated code for 64-bit ARM on a machine of another kind: compiled, looked at, and run in qemu-aarch64."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from torch import Tensor

from rnnstudio.runtime.fused.ir import Target, declarations
from rnnstudio.runtime.fused.jit import machine_for, optimised, vectors
from rnnstudio.runtime.fused.packing import packers
from rnnstudio.runtime.fused.products import kernels

LINUX, APPLE = "aarch64-unknown-linux-gnu", "arm64-apple-darwin"
_COMPILER, _EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"


def neon(double: bool, cpu: str = "generic", triple: str = LINUX) -> Target:
    return vectors(triple, cpu, {}, double)


def machine(target: Target, triple: str = LINUX) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return machine_for(target, triple)


def assembly(text: str, target: Target, triple: str = LINUX) -> str:
    made = machine(target, triple)
    return str(made.emit_assembly(optimised(text, made)))


def compiled(text: str, target: Target) -> bytes:
    """An object file for Linux."""
    made = machine(target)
    return bytes(made.emit_object(optimised(text, made)))


@lru_cache
def shared(target: Target) -> bytes:
    """The object file of what all loops call."""
    return compiled(declarations(target) + kernels(target) + packers(target), target)


def undefined(content: bytes) -> set[str]:
    """Symbols that an ELF object file uses and does not define (tables of sections and symbols: System V ABI)."""
    assert content[:6] == b"\x7fELF\x02\x01"  # 64 bits, little-endian
    (table,), (size, count) = struct.unpack_from("<Q", content, 40), struct.unpack_from("<HH", content, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, table + i * size) for i in range(count)]
    found = set()
    for _, kind, _, _, start, length, link, _, _, entry in sections:
        if kind == 2:  # SHT_SYMTAB; link: where its names are
            for at in range(start + entry, start + length, entry):
                name, _, _, section = struct.unpack_from("<IBBH", content, at)
                if section == 0:
                    first = sections[link][4] + name
                    found.add(content[first : content.index(b"\0", first)].decode())
    return found


def only(text: str, function: str) -> str:
    """One function of a text of several."""
    return next(part for part in text.split("\n\n") if f"@{function}(" in part.partition("{")[0])


def inner_loops(text: str, function: str) -> list[list[str]]:
    """The instructions of each loop of a function that no other is in."""
    body = re.split(rf"^_?{function}:", text, flags=re.MULTILINE)[1]
    body = re.split(r"^_?rnn_\w+:", body, maxsplit=1, flags=re.MULTILINE)[0]
    found, block = [], [""]
    for line in (line.strip() for line in body.splitlines()):
        if label := re.match(r"(\.?L\w+):", line):
            block = [label[1]]
        elif line and line[0] not in ".;/":
            block.append(line)
            if block[0] and re.match(r"(b|cb|tb)\S*\s", line) and re.search(rf"[\s,]{re.escape(block[0])}$", line):
                found.append(block[1:])
    return found


def why_not_here() -> str:
    """What is missing to run code for ARM, or ""."""
    missing = [name for name in (_COMPILER, _EMULATOR) if shutil.which(name) is None]
    return f"{' and '.join(missing)} not found (Debian: gcc-aarch64-linux-gnu, qemu-user)" if missing else ""


_MAIN = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int64_t number;
typedef void function(number, number, number, number, number, number, number, number);
%(declared)s
static function *const functions[] = {%(names)s};

/* A piece of the caller's memory, and where it is here. */
struct block { number there, bytes, table; char *here; };

static number moved(number x, const struct block *blocks, number count) {
    for (const struct block *b = blocks; b < blocks + count; b++)
        if (b->there <= x && x < b->there + b->bytes) return (number)b->here + (x - b->there);
    return x;
}

static void get(void *to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) exit(3);
}

int main(void) {
    number which, count, args[8];
    get(&which, sizeof which);
    get(args, sizeof args);
    get(&count, sizeof count);
    struct block *blocks = calloc(count, sizeof *blocks);
    for (number i = 0; i < count; i++) {
        get(blocks + i, 3 * sizeof(number));
        blocks[i].here = malloc(blocks[i].bytes);
        get(blocks[i].here, blocks[i].bytes);
    }
    for (number i = 0; i < count; i++)
        for (number j = 0; blocks[i].table && j < blocks[i].bytes / 8; j++) {
            number *entry = (number *)blocks[i].here + j;
            *entry = moved(*entry, blocks, count);
        }
    for (int i = 0; i < 8; i++) args[i] = moved(args[i], blocks, count);
    functions[which](args[0], args[1], args[2], args[3], args[4], args[5], args[6], args[7]);
    for (number i = 0; i < count; i++)
        if (!blocks[i].table) fwrite(blocks[i].here, 1, blocks[i].bytes, stdout);
    return 0;
}
"""
"""Reads a call from its input: which function, eight arguments, blocks of memory; writes the blocks that it leaves.

Addresses in arguments and tables are those of the caller and are moved. More arguments than needed do no harm.
"""


class Program:
    """A program for ARM with some functions of object files."""

    def __init__(self, folder: Path, objects: Sequence[bytes], names: Sequence[str]) -> None:
        self.names = list(names)
        self.path = folder / "program"
        declared = "\n".join(f"extern function {name};" for name in names)
        (folder / "main.c").write_text(_MAIN % {"declared": declared, "names": ", ".join(names)})
        files = [folder / f"{i}.o" for i in range(len(objects))]
        for file, content in zip(files, objects, strict=True):
            file.write_bytes(content)
        command = [_COMPILER, "-O1", "-static", "-no-pie", folder / "main.c", *files, "-o", self.path]
        subprocess.run(command, check=True)

    def call(self, name: str, args: Sequence[int], memory: Sequence[Tensor], tables: Mapping[int, int]) -> None:
        """Runs a function that reads and writes `memory`, and reads tables of 64-bit numbers: {address: how many}."""
        blocks = [(x.data_ptr(), x.numel() * x.element_size(), 0) for x in memory if x.numel()]
        blocks += [(at, 8 * count, 1) for at, count in tables.items()]
        numbers = [self.names.index(name), *args, *[0] * (8 - len(args)), len(blocks)]
        parts = [struct.pack("<10q", *numbers)]
        for at, size, table in blocks:
            parts += [struct.pack("<3q", at, size, table), ctypes.string_at(at, size)]
        done = subprocess.run([_EMULATOR, self.path], input=b"".join(parts), capture_output=True)
        assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stderr.decode()}"
        left = done.stdout
        for at, size, table in blocks:
            if not table:
                assert len(left) >= size
                ctypes.memmove(at, left[:size], size)
                left = left[size:]
        assert not left


class ArmCode:
    """Stands where `jit.Code` does: functions that take the address of an argument table first."""

    def __init__(self, program: Program, memory: Callable[[], Sequence[Tensor]], size: Callable[[str], int]) -> None:
        self.program, self.memory, self.size = program, memory, size

    def function(self, name: str, kind: object) -> Callable[..., None]:
        def call(table: int, *numbers: int) -> None:
            self.program.call(name, [table, *numbers], self.memory(), {table: self.size(name)})

        return call

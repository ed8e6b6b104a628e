"""From LLVM IR to callable machine code through llvmlite, with object code kept on disk between runs.

The cache lies in a folder of the user's own that nobody else may enter; a file's name is a hash of the IR, the
processor and the llvmlite version, and its content begins with a hash of the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from platformdirs import user_cache_path

from . import isa
from .ir import Target, declarations
from .packing import COLUMNS, ROWS, packer_name, packers
from .products import kernel_names, kernels

_lock = threading.Lock()

_ARM = ("aarch64", "arm64", "arm64e")

_KEPT = 400
"""Files in the cache; a loop's code is some 50 kB. The oldest go first."""


@cache
def _begin() -> None:
    """Before LLVM makes code for this machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@lru_cache(maxsize=2)
def host(double: bool) -> Target:
    """This machine's vectors, or those of the older one that the environment asks for (isa.py). Raises StudioError."""
    _begin()
    try:
        features = dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot ask here: the processor's name says enough
        features = {}
    triple = llvm.get_process_triple()
    return vectors(triple, *isa.limited(triple, llvm.get_host_cpu_name(), features), double)


def vectors(triple: str, cpu: str, features: Mapping[str, bool], double: bool) -> Target:
    """AVX-512, AVX2, NEON, else four floats, which every processor's compiler can split.

    NEON is in every 64-bit ARM, whatever is known of its features. Its 32 registers hold 12 × 2 sums, which keeps four
    units busy through a latency of six cycles, and 4 vectors of B and 2 of A: two steps at once.
    """
    at_once = 1
    if triple.split("-")[0] in _ARM:
        width, rows, at_once = 16, 12, 2
    elif features.get("avx512f"):
        width, rows = 64, 12
    elif features.get("avx2") and features.get("fma"):
        width, rows = 32, 6
    else:
        width, rows = 16, 6
    flags = ",".join(("+" if features[name] else "-") + name for name in sorted(features))
    return Target(cpu, flags, double, width // (8 if double else 4), rows, at_once)


class CannotCompile(Exception):  # noqa: N818 - not an error: another lowering runs the loop
    """LLVM makes no code for this machine; says what it said."""


class Code:
    """Compiled code; it lives as long as this object."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))

    def function(self, name: str, kind: Callable[[int], Callable[..., None]]) -> Callable[..., None]:
        """A function of it, called as ctypes' function type `kind` says; the lock is released meanwhile."""
        return kind(self.address(name))


def compile_ir(text: str, target: Target, symbols: dict[str, int]) -> Code:
    """Machine code of a module. symbols: addresses of the functions it calls. Raises CannotCompile."""
    try:
        return _compiled(text, target, symbols)
    except RuntimeError as error:  # llvmlite's, of any step
        raise CannotCompile(" ".join(str(error).split())) from error


def _compiled(text: str, target: Target, symbols: dict[str, int]) -> Code:
    with _lock:
        for name, address in symbols.items():
            llvm.add_symbol(name, address)
        machine = machine_for(target, llvm.get_default_triple())
        parts = (text, machine.triple, target.cpu, target.features, llvmlite.__version__)
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        stored = _load(key)
        if stored is None:
            with _told():
                stored = machine.emit_object(optimised(text, machine))
            _save(key, stored)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(stored))
        engine.finalize_object()
        return Code(engine)


_listener: ContextVar[Callable[[bool], None] | None] = ContextVar("listener", default=None)


@contextlib.contextmanager
def telling(listener: Callable[[bool], None]) -> Iterator[None]:
    """Meanwhile the listener hears when code is being made (True) and when it is there (False); not what is on disk."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    listener = _listener.get() or (lambda busy: None)
    listener(True)
    try:
        yield
    finally:
        listener(False)


def machine_for(target: Target, triple: str) -> Any:
    """llvmlite's description of the machine that code is made for."""
    _begin()
    found = llvm.Target.from_triple(triple)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, jit=True, codemodel="jitdefault"
    )


def optimised(text: str, machine: Any) -> Any:
    """A module as llvmlite's, ready to be written as code of the machine. Raises RuntimeError with LLVM's words."""
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False  # two steps of a micro-kernel at once need more registers than there are
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


@cache
def product_kernels(target: Target) -> tuple[dict[str, int], Code]:
    """Addresses of the products' micro-kernels and packers by name, and the code they are in.

    Kept for good: loops know addresses alone.
    """
    code = compile_ir(declarations(target) + kernels(target) + packers(target), target, {})
    names = [*kernel_names(target), *(packer_name(target, way) for way in (COLUMNS, ROWS))]
    return {name: code.address(name) for name in names}, code


def cache_folder() -> Path | None:
    """The folder for compiled kernels, or None when there is none that only this user can write to."""
    folder = user_cache_path("rnnstudio") / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return None
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o077):
        return None
    return folder


def _load(key: str) -> bytes | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        content = (folder / f"{key}.o").read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _save(key: str, code: bytes) -> None:
    """Written under another name first, so that nobody ever reads half a file. A full disk is no reason to fail."""
    folder = cache_folder()
    if folder is None:
        return
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            temporary = file.name
            file.write(hashlib.sha256(code).digest() + code)
        Path(temporary).replace(folder / f"{key}.o")
        old = sorted(folder.glob("*.o"), key=lambda path: path.stat().st_mtime)[:-_KEPT]
        for path in old:
            path.unlink()
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


@lru_cache(maxsize=1)
def openmp() -> dict[str, int]:
    """Addresses of GNU OpenMP's entry points in the library that torch has loaded; empty where there is none.

    Elsewhere than on Linux torch brings another OpenMP, or none.
    """
    if not sys.platform.startswith("linux"):
        return {}
    try:
        whole = ctypes.CDLL(None)
        names = ("GOMP_parallel", "GOMP_barrier", "omp_get_thread_num", "omp_get_num_threads")
        found = {name: ctypes.cast(getattr(_library(whole), name), ctypes.c_void_p).value for name in names}
    except (OSError, AttributeError, TypeError):
        return {}
    return {name: address for name, address in found.items() if address}


def _library(whole: ctypes.CDLL) -> ctypes.CDLL:
    """The OpenMP library already in this process: loading it again by its path gives the same one."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return whole
    paths = {line.split(maxsplit=5)[5].strip() for line in maps.splitlines() if "libgomp" in line}
    own = sorted(path for path in paths if "torch" in path) or sorted(paths)
    return ctypes.CDLL(own[0]) if own else whole

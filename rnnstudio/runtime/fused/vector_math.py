"""exp, sigmoid, tanh, log and softplus of vectors, as LLVM IR. Torch-free.

e^x = 2^n e^r, n the integer next to x log₂e (found by adding 1.5·2^(bits of the significand)), |r| ≤ ln 2 / 2; e^r − 1
is a polynomial (float32: coefficients of Cephes' expf; float64: Taylor to the 13th power, error below 10⁻¹⁷). tanh x =
q / (q + 2), q = e^(2x) − 1 = 2^n (e^r − 1) + (2^n − 1), which keeps small values exact. log: Cephes' logf and log.
NaN stays NaN.
"""

from __future__ import annotations

import math

from .ir import Function, Target

_EXP32 = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_EXP64 = tuple(1.0 / math.factorial(i) for i in range(13, 1, -1))
_LN2_HIGH, _LN2_LOW32, _LN2_LOW64 = 0.693145751953125, 1.428606765330187e-06, 1.42860682030941723212e-6
_LOG32 = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_LOG64_P = (
    1.01875663804580931796e-4,
    4.97494994976747001425e-1,
    4.70579119878881725854e0,
    1.44989225341610930846e1,
    1.79368678507819816313e1,
    7.70838733755885391666e0,
)
_LOG64_Q = (
    1.0,
    1.12873587189167450590e1,
    4.52279145837532221105e1,
    8.29875266912776603211e1,
    7.11544750618563894466e1,
    2.31251620126765340583e1,
)


def library(t: Target) -> str:
    """Definitions of @rnn_exp, @rnn_sigmoid, @rnn_tanh, @rnn_log, @rnn_softplus and @rnn_softplus_slope."""
    made = (_exp(t), _sigmoid(t), _tanh(t), _log(t), _softplus(t), _softplus_slope(t))
    return "\n".join(f.text() for f in made)


def _function(t: Target, name: str) -> Function:
    return Function(t, f"define internal {t.vector} @rnn_{name}({t.vector} %x) alwaysinline nounwind")


def _horner(f: Function, x: str, coefficients: tuple[float, ...]) -> str:
    total = f.target.splat(coefficients[0])
    for c in coefficients[1:]:
        total = f.fma(total, x, f.target.splat(c))
    return total


def _split(f: Function, x: str) -> tuple[str, str]:
    """(e^r − 1, the bits of n + 1.5·2^m) of e^x = 2^n e^r."""
    t = f.target
    magic = t.splat(6755399441055744.0 if t.double else 12582912.0)
    moved = f.fma(x, t.splat(math.log2(math.e)), magic)
    n = f.let(f"fsub {t.vector} {moved}, {magic}")
    r = f.fma(n, t.splat(-_LN2_HIGH), x)
    r = f.fma(n, t.splat(-(_LN2_LOW64 if t.double else _LN2_LOW32)), r)
    square = f.let(f"fmul {t.vector} {r}, {r}")
    q = f.fma(_horner(f, r, _EXP64 if t.double else _EXP32), square, r)
    return q, f.let(f"bitcast {t.vector} {moved} to {t.integers}")


def _power(f: Function, bits: str, bias: int) -> str:
    """2^(n + bias − exponent bias) from the bits that `_split` gives."""
    t = f.target
    summed = f.let(f"add {t.integers} {bits}, {t.integer_splat(bias)}")
    shifted = f.let(f"shl {t.integers} {summed}, {t.integer_splat(52 if t.double else 23)}")
    return f.let(f"bitcast {t.integers} {shifted} to {t.vector}")


def _bounded(f: Function, x: str, low: float, high: float) -> str:
    t = f.target
    x = f.select("ogt", x, t.splat(high), t.splat(high), x)
    return f.select("olt", x, t.splat(low), t.splat(low), x)


def _quotient(f: Function, a: str, b: str) -> str:
    """a / b to about one unit in the last place, b not near the ends of the range. Division is several times slower."""
    t = f.target
    if t.reciprocal:
        r = f.let(f"call {t.vector} @{t.reciprocal}({t.vector} {b}, {t.vector} zeroinitializer, i16 -1)")
        y = f.let(f"fmul {t.vector} {a}, {r}")
        return f.fma(f.fma(f.let(f"fneg {t.vector} {y}"), b, a), r, y)
    return f.op("fdiv", a, b)


def _bias(t: Target) -> int:
    return 1023 if t.double else 127


def _exp(t: Target) -> Function:
    f = _function(t, "exp")
    low, high = (-708.0, 709.0) if t.double else (-87.0, 88.0)
    most = 709.782712893384 if t.double else 88.72283935546875
    x = _bounded(f, "%x", low, high)
    q, bits = _split(f, x)
    p = f.op("fadd", q, t.splat(1.0))
    result = f.op("fmul", p, _power(f, bits, _bias(t)))
    rest = f.let(f"fsub {t.vector} %x, {x}")  # beyond those bounds: e^x = e^bound · e^rest
    q, bits = _split(f, _bounded(f, rest, -38.0 if t.double else -18.0, 0.8))
    more = f.op("fmul", f.op("fadd", q, t.splat(1.0)), _power(f, bits, _bias(t)))
    inside = f.select("une", rest, t.splat(0.0), f.op("fmul", result, more), result)
    inside = f.select("ogt", "%x", t.splat(most), t.splat(math.inf), inside)
    least = -745.2 if t.double else -103.98
    f.emit(f"ret {t.vector} {f.select('olt', '%x', t.splat(least), t.splat(0.0), inside)}")
    return f


def _sigmoid(t: Target) -> Function:
    f = _function(t, "sigmoid")
    high = 708.0 if t.double else 87.0
    q, bits = _split(f, _bounded(f, f.let(f"fneg {t.vector} %x"), -high, high))
    power = _power(f, bits, _bias(t))
    down = f.op("fadd", f.fma(q, power, power), t.splat(1.0))
    f.emit(f"ret {t.vector} {_quotient(f, t.splat(1.0), down)}")
    return f


def _tanh(t: Target) -> Function:
    f = _function(t, "tanh")
    size = f.let(f"call {t.vector} @llvm.fabs.{t.suffix}({t.vector} %x)")
    top = 20.0 if t.double else 9.5
    size = f.select("ogt", size, t.splat(top), t.splat(top), size)
    q, bits = _split(f, f.op("fadd", size, size))
    power = _power(f, bits, _bias(t))
    less = f.let(f"fsub {t.vector} {power}, {t.splat(1.0)}")
    q = f.fma(q, power, less)
    ratio = _quotient(f, q, f.let(f"fadd {t.vector} {q}, {t.splat(2.0)}"))
    signed = f"call {t.vector} @llvm.copysign.{t.suffix}({t.vector} {ratio}, {t.vector} %x)"
    f.emit(f"ret {t.vector} {f.let(signed)}")
    return f


def _log(t: Target) -> Function:
    """x = 2^e m, √½ ≤ m < √2; numbers below the least normal one are scaled up first."""
    f = _function(t, "log")
    least = 2.2250738585072014e-308 if t.double else 1.1754943508222875e-38
    scale, shift = (2.0**54, 54.0) if t.double else (2.0**25, 25.0)
    bigger = f.let(f"fmul {t.vector} %x, {t.splat(scale)}")
    x = f.select("olt", "%x", t.splat(least), bigger, "%x")
    lost = f.select("olt", "%x", t.splat(least), t.splat(shift), t.splat(0.0))
    bits = f.let(f"bitcast {t.vector} {x} to {t.integers}")
    mantissa = 52 if t.double else 23
    raw = f.let(f"lshr {t.integers} {bits}, {t.integer_splat(mantissa)}")
    exponent = f.let(f"sub {t.integers} {raw}, {t.integer_splat(_bias(t) - 1)}")
    e = f.let(f"sitofp {t.integers} {exponent} to {t.vector}")
    e = f.let(f"fsub {t.vector} {e}, {lost}")
    kept = f.let(f"and {t.integers} {bits}, {t.integer_splat((1 << mantissa) - 1)}")
    placed = f.let(f"or {t.integers} {kept}, {t.integer_splat((_bias(t) - 1) << mantissa)}")
    m = f.let(f"bitcast {t.integers} {placed} to {t.vector}")
    root = t.splat(math.sqrt(0.5))
    e = f.select("olt", m, root, f.let(f"fsub {t.vector} {e}, {t.splat(1.0)}"), e)
    m = f.select("olt", m, root, f.let(f"fadd {t.vector} {m}, {m}"), m)
    m = f.let(f"fsub {t.vector} {m}, {t.splat(1.0)}")
    z = f.let(f"fmul {t.vector} {m}, {m}")
    if t.double:
        y = f.op("fdiv", _horner(f, m, _LOG64_P), _horner(f, m, _LOG64_Q))
    else:
        y = _horner(f, m, _LOG32)
    y = f.let(f"fmul {t.vector} {m}, {f.let(f'fmul {t.vector} {z}, {y}')}")
    y = f.fma(e, t.splat(-2.121944400546905827679e-4), y)
    y = f.fma(z, t.splat(-0.5), y)
    result = f.fma(e, t.splat(0.693359375), f.let(f"fadd {t.vector} {m}, {y}"))
    result = f.select("oeq", "%x", t.splat(math.inf), "%x", result)
    result = f.select("oeq", "%x", t.splat(0.0), t.splat(-math.inf), result)
    f.emit(f"ret {t.vector} {f.select('oge', '%x', t.splat(0.0), result, t.splat(math.nan))}")
    return f


def _softplus(t: Target) -> Function:
    """x above 20, as torch does; else log(1 + u) with what 1 + u lost put back, u = e^x."""
    f = _function(t, "softplus")
    u = f.call("rnn_exp", ["%x"])
    one = t.splat(1.0)
    up = f.let(f"fadd {t.vector} {u}, {one}")
    lost = f.let(f"fsub {t.vector} {u}, {f.let(f'fsub {t.vector} {up}, {one}')}")
    y = f.let(f"fadd {t.vector} {f.call('rnn_log', [up])}, {f.let(f'fdiv {t.vector} {lost}, {up}')}")
    f.emit(f"ret {t.vector} {f.select('ogt', '%x', t.splat(20.0), '%x', y)}")
    return f


def _softplus_slope(t: Target) -> Function:
    f = _function(t, "softplus_slope")
    y = f.call("rnn_sigmoid", ["%x"])
    f.emit(f"ret {t.vector} {f.select('ogt', '%x', t.splat(20.0), t.splat(1.0), y)}")
    return f

"""The machine code of WaveNet generation: one loop over samples and layers, compiled by numba for the CPU at hand.

Matrix products, gates, quantisation and softmax take the time. They are written in LLVM's vectors, which LLVM maps to
those of the CPU (AVX-512, AVX2, NEON). The rest is plain Python. All compiled code is in this file: numba keeps its
result on disk until the file changes, and does not look at other files.

Vectors of channels are padded with zeros to multiples of LANES, matrices to blocks of BLOCK outputs. A block holds one
step for each input, or for each pair of inputs where weights have fewer than 32 bits. A step is four vectors of
weights. Each output is summed in the same order however many streams are computed together, so results do not depend on
that.
"""

import logging
import math
from collections.abc import Callable
from functools import reduce, wraps
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils, event
from numba.core import config as numba_config
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from audionet.resources import cache_dir

_log = logging.getLogger(__name__)

binding.initialize_native_asmparser()  # for the one instruction that is written as such

LANES = 16  # numbers in a vector
BLOCK = 64  # outputs of a matrix that are packed together
FLOAT32, BFLOAT16, INT8 = range(3)  # how weights are stored
SOFTMAX, LOGISTIC_MIXTURE, GAUSSIAN = range(3)
# Streams that go through a matrix together: one load of a weight serves them all.
TILES = (1, 2, 4, 8)
_MOST_SUMS = 16  # vectors that a product sums at a time; AVX-512 has 32 registers
_UNROLLED = 2  # steps
# Weights are prefetched this many bytes ahead of their use. Several streams then wait less for them; a single stream
# reads as fast without.
_AHEAD = 16384
_MOST_INT8 = 2**31 // 127  # largest sum of the inputs of a product, so that its own sums stay below 2 ** 31
_MARGIN = 1e-5  # of a uniform number, as distributions.LogisticMixture has it
_INFINITY = 0x7FF << 52  # bits of the float64

_BYTE, _SHORT, _INT, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()
_FLOATS, _INTS, _SHORTS = (ir.VectorType(kind, LANES) for kind in (_FLOAT, _INT, _SHORT))
_PAIRS, _SHORT_PAIRS, _BYTE_PAIRS = (ir.VectorType(kind, 2 * LANES) for kind in (_INT, _SHORT, _BYTE))
_DOUBLES = ir.VectorType(_DOUBLE, LANES)
_LONGS = ir.VectorType(_LONG, LANES)

F = TypeVar("F", bound=Callable[..., object])

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value
Values: TypeAlias = list[ir.Value]


def _jit(function: F) -> F:
    """Compile a function, whose type stays what it is."""
    return cast(F, njit(function))


# ---- words for LLVM ----


def _constant(kind: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _call(builder: Builder, name: str, result: ir.Type, *arguments: Value) -> Value:
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


def _multiply_add(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """Compute a * b + c, rounded once where the CPU can."""
    width = 32 if a.type.element == _FLOAT else 64
    return _call(builder, f"llvm.fmuladd.v{a.type.count}f{width}", a.type, a, b, c)


def _splat(builder: Builder, value: Value) -> Value:
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(first, first, _constant(_INTS, 0))


def _after(builder: Builder, base: Value, offset: Value | int) -> Value:
    """Point ``offset`` bytes after ``base``."""
    return cgutils.pointer_add(builder, base, offset, _BYTE.as_pointer())


def _load(builder: Builder, base: Value, offset: Value | int, kind: ir.Type) -> Value:
    return builder.load(cgutils.pointer_add(builder, base, offset, kind.as_pointer()), align=1)


def _store(builder: Builder, value: Value, base: Value, offset: Value | int) -> None:
    builder.store(value, cgutils.pointer_add(builder, base, offset, value.type.as_pointer()), align=1)


def _times(builder: Builder, count: Value, size: int) -> Value:
    return builder.mul(count, count.type(size))


def _repeat(builder: Builder, n: Value, size: int) -> Any:
    """Open a loop of n / size passes."""
    return cgutils.for_range(builder, builder.sdiv(n, n.type(size)))


def _select(builder: Builder, comparison: str, a: Value, b: Value) -> Value:
    """Return a where the comparison with b holds, else b: ">" gives the maximum."""
    return builder.select(builder.fcmp_ordered(comparison, a, b), a, b)


def _operation(result: types.Type) -> Callable[[Callable[..., Value | None]], Any]:
    """Turn a function (builder, *arguments) that emits code into an operation that compiled functions can call.

    Arrays reach the function as pointers to their first element.
    """

    def decorate(emit: Callable[..., Value | None]) -> Any:
        def generate(context: Any, builder: Builder, signature: Any, arguments: Values) -> Value:
            values = [
                _after(builder, context.make_array(kind)(context, builder, value).data, 0)
                if isinstance(kind, types.Array)
                else value
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            value = emit(builder, *values)
            return context.get_dummy_value() if value is None else value

        @wraps(emit)  # numba asks for the names of the arguments
        def define(typing_context: Any, *kinds: types.Type) -> Any:
            return result(*kinds), generate

        return intrinsic(define)

    return decorate


# ---- vectors of channels: positions and sizes are counted in numbers ----


def _on_vectors(combine: Callable[[Builder, Value, Value], Value]) -> Any:
    """Return an operation (target, target_at, source, source_at, n) that sets target = combine(target, source)."""

    @_operation(types.void)
    def operation(builder: Builder, target: Value, target_at: Value, source: Value, source_at: Value, n: Value) -> None:
        target, source = (
            _after(builder, array, _times(builder, at, 4)) for array, at in ((target, target_at), (source, source_at))
        )
        with _repeat(builder, n, LANES) as loop:
            at = _times(builder, loop.index, 4 * LANES)
            old, new = _load(builder, target, at, _FLOATS), _load(builder, source, at, _FLOATS)
            _store(builder, combine(builder, old, new), target, at)

    return operation


_copy = _on_vectors(lambda builder, old, new: new)
_add = _on_vectors(lambda builder, old, new: builder.fadd(old, new))
_rectify = _on_vectors(lambda builder, old, new: _select(builder, ">", new, _constant(_FLOATS, 0.0)))


def _exponential(builder: Builder, x: Value) -> tuple[Value, Value]:
    """Return s and p with exp(x) = s * (1 + p); s is a power of two, and x such that s is a normal number."""
    single = x.type.element == _FLOAT
    mantissa, bias, degree, integers = (23, 127, 7, _INTS) if single else (52, 1023, 13, _LONGS)
    # Adding 1.5 * 2 ** mantissa rounds to the nearest integer and leaves it in the lowest bits.
    magic = _constant(x.type, 1.5 * 2**mantissa)
    shifted = _multiply_add(builder, x, _constant(x.type, 1 / math.log(2)), magic)
    exponent = builder.add(builder.bitcast(shifted, integers), _constant(integers, bias))
    scale = builder.bitcast(builder.shl(exponent, _constant(integers, mantissa)), x.type)
    # x - n ln 2, with ln 2 in two parts: n times the first is exact.
    n = builder.fsub(shifted, magic)
    first = round(math.log(2) * 2 ** (mantissa // 2)) / 2 ** (mantissa // 2)
    rest = _multiply_add(builder, n, _constant(x.type, -first), x)
    rest = _multiply_add(builder, n, _constant(x.type, first - math.log(2)), rest)
    series = _constant(x.type, 1 / math.factorial(degree))
    for order in reversed(range(2, degree)):
        series = _multiply_add(builder, series, rest, _constant(x.type, 1 / math.factorial(order)))
    return scale, _multiply_add(builder, builder.fmul(rest, rest), series, rest)


@_operation(types.void)
def _gated(builder: Builder, scratch: Value, target: Value, source: Value, n: Value) -> None:
    """Write tanh of n numbers times the sigmoid of the n numbers after them."""
    target, source = (_after(builder, scratch, _times(builder, at, 4)) for at in (target, source))
    gates = _after(builder, source, _times(builder, n, 4))
    two = _constant(_FLOATS, 2.0)

    def exponential_minus_one(x: Value, limit: float) -> Value:
        x = _select(builder, "<", _select(builder, ">", x, _constant(_FLOATS, -limit)), _constant(_FLOATS, limit))
        scale, part = _exponential(builder, x)
        return _multiply_add(builder, scale, part, builder.fsub(scale, _constant(_FLOATS, 1.0)))

    with _repeat(builder, n, LANES) as loop:
        at = _times(builder, loop.index, 4 * LANES)
        # With a = exp(2 f) - 1 and b = exp(-g) - 1: tanh f = a / (a + 2) and sigmoid g = 1 / (b + 2).
        a = exponential_minus_one(builder.fmul(_load(builder, source, at, _FLOATS), two), 20.0)
        b = exponential_minus_one(builder.fneg(_load(builder, gates, at, _FLOATS)), 60.0)
        below = builder.fmul(builder.fadd(a, two), builder.fadd(b, two))
        _store(builder, builder.fdiv(a, below), target, at)


@_operation(types.void)
def _quantize(builder: Builder, scratch: Value, target: Value, source: Value, n: Value, largest: Value) -> None:
    """Write n numbers as 16-bit integers up to ``largest``, behind a vector whose first number is the scale."""
    target, source = (_after(builder, scratch, _times(builder, at, 4)) for at in (target, source))
    peaks = cgutils.alloca_once_value(builder, _constant(_FLOATS, 1e-30))
    with _repeat(builder, n, LANES) as loop:
        values = _load(builder, source, _times(builder, loop.index, 4 * LANES), _FLOATS)
        values = _call(builder, "llvm.fabs.v16f32", _FLOATS, values)
        builder.store(_select(builder, ">", values, builder.load(peaks)), peaks)
    peak = _call(builder, "llvm.vector.reduce.fmax.v16f32", _FLOAT, builder.load(peaks))
    _store(builder, builder.fdiv(peak, largest), target, 0)
    factor = _splat(builder, builder.fdiv(largest, peak))
    target = _after(builder, target, 4 * LANES)
    with _repeat(builder, n, LANES) as loop:
        values = _load(builder, source, _times(builder, loop.index, 4 * LANES), _FLOATS)
        # The sum has the rounded number in its lowest bits, as in _exponential.
        rounded = _multiply_add(builder, values, factor, _constant(_FLOATS, 1.5 * 2**23))
        shorts = builder.trunc(builder.bitcast(rounded, _INTS), _SHORTS)
        _store(builder, shorts, target, _times(builder, loop.index, 2 * LANES))


# ---- matrix products ----


class _Storage(NamedTuple):
    """How a step of a block is read: for a vector of outputs, both functions return one factor for each sum."""

    n_inputs: int  # of a step
    input_bytes: int  # of a step
    n_bytes: int  # of the weights of a vector of outputs
    sums: ir.VectorType
    n_sums: int
    inputs: Callable[[Builder, Value], Values]
    weights: Callable[[Builder, Value], Values]
    add: Callable[[Builder, Value, Value, Value], Value]  # factor, factor, sum


def _one_input(builder: Builder, source: Value) -> Values:
    return [_splat(builder, _load(builder, source, 0, _FLOAT))]


def _one_weight(builder: Builder, weights: Value) -> Values:
    return [_load(builder, weights, 0, _FLOATS)]


def _two_inputs(builder: Builder, source: Value) -> Values:
    return [_splat(builder, _load(builder, source, offset, _FLOAT)) for offset in (0, 4)]


def _two_halves(builder: Builder, weights: Value) -> Values:
    # The upper half keeps the lower one as the end of its mantissa: packing chooses it so that this is nearest.
    upper = _load(builder, weights, 0, _INTS)
    return [builder.bitcast(half, _FLOATS) for half in (builder.shl(upper, _constant(_INTS, 16)), upper)]


def _two_shorts(builder: Builder, source: Value) -> Values:
    return [builder.bitcast(_splat(builder, _load(builder, source, 0, _INT)), _SHORT_PAIRS)]


def _two_bytes(builder: Builder, weights: Value) -> Values:
    return [builder.sext(_load(builder, weights, 0, _BYTE_PAIRS), _SHORT_PAIRS)]


def _add_pairs(builder: Builder, a: Value, b: Value, total: Value) -> Value:
    if "+avx512vnni" in cpu_target.target_context.codegen().magic_tuple()[2]:
        # One instruction for what follows; LLVM takes two, which it counts as faster when they depend on each other.
        kind = ir.FunctionType(_INTS, [_INTS, _SHORT_PAIRS, _SHORT_PAIRS])
        return builder.asm(kind, "vpdpwssd $3, $2, $0", "=v,0,v,v", [total, a, b], side_effect=False)
    products = builder.mul(builder.sext(a, _PAIRS), builder.sext(b, _PAIRS))  # LLVM makes vpmaddwd of this and the sum
    even, odd = (
        builder.shuffle_vector(products, products, ir.Constant(_INTS, list(range(first, 2 * LANES, 2))))
        for first in (0, 1)
    )
    return builder.add(total, builder.add(even, odd))


_STORAGES = {
    FLOAT32: _Storage(1, 4, 64, _FLOATS, 1, _one_input, _one_weight, _multiply_add),
    BFLOAT16: _Storage(2, 8, 64, _FLOATS, 2, _two_inputs, _two_halves, _multiply_add),
    INT8: _Storage(2, 4, 32, _INTS, 1, _two_shorts, _two_bytes, _add_pairs),
}


def _emit_product(
    builder: Builder,
    storage: _Storage,
    weights: Value,
    n_inputs: Value,
    sources: Values,
    n_outputs: Value,
    targets: Values,
) -> Value:
    """Add the product of a matrix with each stream's inputs to its outputs; return the size of the matrix in bytes."""
    is_scaled = storage.sums == _INTS
    n_vectors = min(BLOCK // LANES, _MOST_SUMS // (len(sources) * storage.n_sums))  # of outputs at a time
    # One stream alone has too few sums to hide the time of an integer addition; their order does not matter.
    n_sums = 2 if is_scaled and len(sources) == 1 else storage.n_sums
    step_bytes, head_bytes = BLOCK // LANES * storage.n_bytes, 4 * BLOCK if is_scaled else 0
    n_steps = builder.sdiv(n_inputs, _LONG(storage.n_inputs))
    block_bytes = builder.add(_times(builder, n_steps, step_bytes), _LONG(head_bytes))
    n_blocks = builder.sdiv(builder.add(n_outputs, _LONG(BLOCK - 1)), _LONG(BLOCK))
    sums = [
        [[cgutils.alloca_once(builder, storage.sums) for _ in range(n_sums)] for _ in range(n_vectors)] for _ in sources
    ]
    worths = [_splat(builder, _load(builder, source, 0, _FLOAT)) for source in sources] if is_scaled else []
    sources = [_after(builder, source, 4 * LANES if is_scaled else 0) for source in sources]

    def add_step(number: Value, steps: Value, first_sum: int) -> None:
        at = _times(builder, number, storage.input_bytes)
        inputs = [storage.inputs(builder, _after(builder, source, at)) for source in sources]
        step = _after(builder, steps, _times(builder, number, step_bytes))
        for vector in range(n_vectors):
            place = _after(builder, step, vector * storage.n_bytes)
            ahead = _after(builder, place, _AHEAD)
            _call(builder, "llvm.prefetch.p0", ir.VoidType(), ahead, _INT(0), _INT(3), _INT(1))
            for stream, values in zip(sums, inputs, strict=True):
                for total, a, b in zip(
                    stream[vector][first_sum:], values, storage.weights(builder, place), strict=False
                ):
                    builder.store(storage.add(builder, a, b, builder.load(total)), total)

    with cgutils.for_range(builder, n_blocks) as block, _repeat(builder, _LONG(BLOCK), n_vectors * LANES) as part:
        for total in (total for stream in sums for vector in stream for total in vector):
            builder.store(_constant(storage.sums, 0), total)
        scales = _after(builder, weights, builder.mul(block.index, block_bytes))
        steps = _after(builder, scales, head_bytes)
        steps = _after(builder, steps, _times(builder, part.index, n_vectors * storage.n_bytes))
        with _repeat(builder, n_steps, _UNROLLED) as loop:
            for step in range(_UNROLLED):
                number = builder.add(_times(builder, loop.index, _UNROLLED), _LONG(step))
                add_step(number, steps, step % 2 if n_sums > storage.n_sums else 0)
        first = _times(builder, part.index, n_vectors * LANES)
        for number, (target, stream) in enumerate(zip(targets, sums, strict=True)):
            for vector, places in enumerate(stream):
                at = _times(builder, builder.add(first, _LONG(vector * LANES)), 4)
                totals = [builder.load(place) for place in places]
                if is_scaled:
                    scale = builder.fmul(worths[number], _load(builder, scales, at, _FLOATS))
                    total = builder.fmul(scale, builder.sitofp(reduce(builder.add, totals), _FLOATS))
                else:
                    total = reduce(builder.fadd, totals)
                at = builder.add(at, _times(builder, block.index, 4 * BLOCK))
                _store(builder, builder.fadd(_load(builder, target, at, _FLOATS), total), target, at)
    return builder.mul(n_blocks, block_bytes)


@_operation(types.intp)
def _product(
    builder: Builder,
    precision: Value,
    tile: Value,
    weights: Value,
    weights_at: Value,
    scratch: Value,
    width: Value,
    source: Value,
    n_inputs: Value,
    target: Value,
    n_outputs: Value,
) -> Value:
    """Add the product of the matrix at byte ``weights_at`` with the inputs at ``source`` of each of ``tile`` rows.

    Returns the byte at which the matrix ends. Inputs of an INT8 matrix are in the form that ``_quantize`` writes.
    """
    builder.function.attributes.add("noinline")  # one copy of all this code: less to compile
    end = cgutils.alloca_once(builder, _LONG)
    for number, storage in _STORAGES.items():
        for size in TILES:
            is_it = builder.and_(
                builder.icmp_signed("==", precision, precision.type(number)),
                builder.icmp_signed("==", tile, tile.type(size)),
            )
            with builder.if_then(is_it):
                rows = [builder.mul(width, _LONG(row)) for row in range(size)]
                sources, targets = (
                    [_after(builder, scratch, _times(builder, builder.add(row, at), 4)) for row in rows]
                    for at in (source, target)
                )
                matrix = _after(builder, weights, weights_at)
                n_bytes = _emit_product(builder, storage, matrix, n_inputs, sources, n_outputs, targets)
                builder.store(builder.add(weights_at, n_bytes), end)
    return builder.load(end)


@_jit
def _multiply(
    precision: int,
    tile: int,
    weights: np.ndarray,
    cursor: int,
    scratch: np.ndarray,
    width: int,
    source: int,
    n_inputs: int,
    target: int,
    n_outputs: int,
    quantized: int,
) -> int:
    """Add the product of the matrix at ``cursor`` with each stream's inputs to its outputs; return where it ends."""
    if precision == INT8:
        largest = np.float32(min(2**15 - 1, _MOST_INT8 // n_inputs))
        for row in range(tile):
            _quantize(scratch, row * width + quantized, row * width + source, n_inputs, largest)
        source = quantized
    end: int = _product(precision, tile, weights, cursor, scratch, width, source, n_inputs, target, n_outputs)
    return end


# ---- drawing, as audionet.models.wavenet.distributions has it ----


@_operation(types.void)
def _exponentials(builder: Builder, logits: Value, n: Value, temperature: Value, weights: Value) -> None:
    """Write exp((x - maximum of all x) / temperature) of n float32 as float64."""
    peaks = cgutils.alloca_once_value(builder, _load(builder, logits, 0, _FLOATS))
    with _repeat(builder, n, LANES) as loop:
        values = _load(builder, logits, _times(builder, loop.index, 4 * LANES), _FLOATS)
        builder.store(_select(builder, ">", values, builder.load(peaks)), peaks)
    peak = _splat(builder, _call(builder, "llvm.vector.reduce.fmax.v16f32", _FLOAT, builder.load(peaks)))
    temperatures = _splat(builder, temperature)
    with _repeat(builder, n, LANES) as loop:
        values = _load(builder, logits, _times(builder, loop.index, 4 * LANES), _FLOATS)
        difference = builder.fsub(builder.fpext(values, _DOUBLES), builder.fpext(peak, _DOUBLES))
        power = _select(builder, ">", builder.fdiv(difference, temperatures), _constant(_DOUBLES, -700.0))
        scale, part = _exponential(builder, power)
        _store(builder, _multiply_add(builder, scale, part, scale), weights, _times(builder, loop.index, 8 * LANES))


@_operation(types.float64)
def _mass(builder: Builder, weights: Value, n: Value, least: Value, is_count: Value) -> Value:
    """Sum, or count, those of n positive weights whose bits are not below ``least``."""
    total = cgutils.alloca_once_value(builder, _constant(_DOUBLES, 0.0))
    limit = _splat(builder, least)
    with _repeat(builder, n, LANES) as loop:
        values = _load(builder, weights, _times(builder, loop.index, 8 * LANES), _DOUBLES)
        is_in = builder.icmp_signed(">=", builder.bitcast(values, _LONGS), limit)  # ordered as the numbers are
        values = builder.select(is_count, _constant(_DOUBLES, 1.0), values)
        builder.store(builder.fadd(builder.load(total), builder.select(is_in, values, _constant(_DOUBLES, 0.0))), total)
    return _call(builder, "llvm.vector.reduce.fadd.v16f64", _DOUBLE, _DOUBLE(-0.0), builder.load(total))


@_jit
def _raised(weights: np.ndarray, least: int, wanted: float, is_count: bool) -> int:
    """Return the bits of the largest weight, at least ``least``, that with all above it still reaches ``wanted``."""
    too_high = _INFINITY
    while too_high - least > 1:
        middle = least + (too_high - least) // 2
        if _mass(weights, len(weights), middle, is_count) >= wanted:
            least = middle
        else:
            too_high = middle
    return least


@_jit
def _padded(n: int, multiple: int) -> int:
    return (n + multiple - 1) // multiple * multiple


@_jit
def _choose(logits: np.ndarray, uniform: float, temperature: float, top_k: int, top_p: float) -> int:
    n = len(logits)
    padded = np.full(_padded(n, LANES), -np.inf, np.float32)
    padded[:n] = logits
    weights = np.empty(len(padded))
    _exponentials(padded, len(padded), temperature, weights)
    weights[n:] = 0.0
    bits, least = weights.view(np.int64), 0
    if top_k < n:
        least = _raised(weights, least, float(top_k), True)
    if top_p < 1.0:
        least = _raised(weights, least, top_p * _mass(weights, len(weights), least, False), False)
    point = uniform * _mass(weights, len(weights), least, False)
    cumulative, index = 0.0, 0
    for number in range(n):
        if bits[number] >= least and weights[number] > 0.0:
            cumulative += weights[number]
            index = number
            if cumulative > point:
                break
    return index


@_jit
def _draw(
    distribution: int, outputs: np.ndarray, uniforms: np.ndarray, temperature: float, top_k: int, top_p: float
) -> float:
    if distribution == SOFTMAX:
        return float(_choose(outputs, uniforms[0], temperature, top_k, top_p))
    if distribution == LOGISTIC_MIXTURE:
        n = len(outputs) // 3
        component = _choose(outputs[:n], uniforms[0], temperature, top_k, top_p)
        mean, log_scale = outputs[n + component], max(outputs[2 * n + component], np.float32(-14.0))
        uniform = min(max(uniforms[1], _MARGIN), 1 - _MARGIN)
        deviation = math.log(uniform) - math.log1p(-uniform)
    else:
        mean, log_scale = outputs[0], max(outputs[1], np.float32(-9.0))
        deviation = math.sqrt(-2 * math.log1p(-uniforms[0])) * math.cos(2 * math.pi * uniforms[1])
    drawn: float = mean + temperature * math.exp(log_scale) * deviation
    return min(max(drawn, -1.0), 1.0)


# ---- the network ----


_I, _F = types.int64, types.float64
_SIGNATURE = types.void(
    *[_I] * 9, _I[::1], types.uint8[::1], types.float32[::1], types.float32[:, ::1], types.float32[:, :, ::1],
    types.float32[::1], _I, types.float32[:, :, :, ::1], _F[:, :, ::1], types.float32[:, ::1], _F, _I, _F,
    types.float32[:, ::1], types.float32[:, :, ::1],
)  # fmt: skip


class _Announcement(event.Listener):
    """Says once that something is compiled, when it begins."""

    def __init__(self, duration: str) -> None:
        self.duration: str | None = duration

    def on_start(self, event: event.Event) -> None:
        """Say it."""
        if self.duration:
            _log.warning("compiling the generator for this processor, which takes about 15 s, %s", self.duration)
        self.duration = None

    def on_end(self, event: event.Event) -> None:
        """Say nothing."""


def _compiled(function: F, signature: Any = _SIGNATURE) -> F:
    """Compile a function now, and keep its code on disk: where numba keeps it, or else in audionet's cache."""
    settings: Any = numba_config  # whose names are made at run time
    usual = settings.CACHE_DIR
    for folder in (usual, str(cache_dir() / "numba")):
        settings.CACHE_DIR = folder
        try:
            with event.install_listener("numba:compile", _Announcement("once")):
                return cast(F, njit(signature, cache=True, nogil=True)(function))
        except RuntimeError:  # no folder to keep the code in can be written
            continue
        finally:
            settings.CACHE_DIR = usual
    advice = "at every start: its code can be kept in no folder; name one that can be written in AUDIONET_CACHE"
    with event.install_listener("numba:compile", _Announcement(advice)):
        return cast(F, njit(signature, nogil=True)(function))


@_compiled
def generate(
    tile: int,
    precision: int,
    distribution: int,
    kernel_size: int,
    residual: int,
    half: int,
    skip: int,
    hidden: int,
    n_outputs: int,
    dilations: np.ndarray,
    weights: np.ndarray,
    biases: np.ndarray,
    embedding: np.ndarray,
    rings: np.ndarray,
    previous: np.ndarray,
    clock: int,
    gate_bias: np.ndarray,
    uniforms: np.ndarray,
    forced: np.ndarray,
    temperature: float,
    top_k: int,
    top_p: float,
    samples: np.ndarray,
    outputs: np.ndarray,
) -> None:
    """Make samples of up to ``tile`` streams.

    Args:
        tile: The smallest of TILES that holds the streams.
        precision: FLOAT32, BFLOAT16 or INT8.
        distribution: SOFTMAX, LOGISTIC_MIXTURE or GAUSSIAN.
        kernel_size: Taps.
        residual: Width of the residual stream, padded to LANES, R.
        half: Width of a gated unit, padded to LANES, H.
        skip: Width of the skip sum, padded to LANES.
        hidden: Width of the layer after it, padded to LANES.
        n_outputs: Numbers that the network gives a sample, not padded.
        dilations: (n_layers,), all int64.
        weights: Bytes of the packed matrices in the order of use.
        biases: (n,) float32, padded like the widths, in the order of use.
        embedding: (codes, R) float32, or (2, R), slope and intercept.
        rings: (stream, sum of (kernel_size - 1) * dilations, R) float32: the layers' past inputs, changed in place.
        previous: (stream,) float32, the last samples, changed in place.
        clock: Samples made before.
        gate_bias: (stream, 1 or n, n_layers, 2 H) float32.
        uniforms: (stream, n, 2) float64.
        forced: (stream, m) float32, the first m samples, which are not drawn.
        temperature: Temperature of the draws.
        top_k: Number of codes or components to draw from.
        top_p: Share of the probability to draw from.
        samples: (stream, n) float32, written.
        outputs: (stream, n, n_outputs) float32, written; (stream, 0, n_outputs) if they are not wanted.
    """
    n_streams, n_samples = samples.shape
    padded_outputs = _padded(n_outputs, LANES)
    n_layers, n_slots, n_rows = len(dilations), rings.shape[1], gate_bias.shape[1]
    flat_rings, flat_bias, flat_embedding = rings.reshape(-1), gate_bias.reshape(-1), embedding.reshape(-1)
    # Places in a stream's row of the scratch memory; results of products take whole blocks.
    taps, n_taps = 0, kernel_size * residual
    stream = taps + n_taps
    gates = stream + _padded(residual, BLOCK)
    units = gates + _padded(2 * half, BLOCK)
    sums = units + n_layers * half
    heads = sums + _padded(skip, BLOCK)
    logits = heads + _padded(hidden, BLOCK)
    quantized = logits + _padded(n_outputs, BLOCK)  # what goes into an INT8 product
    widest = max(n_taps, n_layers * half, skip, hidden)
    # No power of two: rows would share places in the cache.
    width = _padded(quantized + LANES + widest // 2, BLOCK) + LANES
    scratch = np.zeros(tile * width + LANES, np.float32)
    scratch = scratch[(-scratch.ctypes.data) % 64 // 4 :]

    for sample in range(n_samples):
        for number in range(n_streams):
            at = number * width + stream
            if clock + sample == 0:
                scratch[at : at + residual] = 0.0
            elif distribution == SOFTMAX:
                _copy(scratch, at, flat_embedding, int(previous[number]) * residual, residual)
            else:
                for channel in range(residual):
                    scratch[at + channel] = previous[number] * embedding[0, channel] + embedding[1, channel]

        cursor, bias_at, ring_at = 0, 0, 0
        for layer in range(n_layers):
            slots = (kernel_size - 1) * dilations[layer]
            now = (clock + sample) % slots
            for number in range(n_streams):
                row, ring = number * width, number * n_slots + ring_at
                # The slot of now still holds the oldest; the newer taps follow it, a dilation apart.
                for tap in range(kernel_size - 1):
                    slot = ring + (now + tap * dilations[layer]) % slots
                    _copy(scratch, row + taps + tap * residual, flat_rings, slot * residual, residual)
                _copy(scratch, row + taps + (kernel_size - 1) * residual, scratch, row + stream, residual)
                _copy(flat_rings, (ring + now) * residual, scratch, row + stream, residual)
                bias_row = (number * n_rows + (sample if n_rows > 1 else 0)) * n_layers + layer
                _copy(scratch, row + gates, flat_bias, bias_row * 2 * half, 2 * half)
            cursor = _multiply(
                precision, tile, weights, cursor, scratch, width, taps, n_taps, gates, 2 * half, quantized
            )
            unit = units + layer * half
            for number in range(n_streams):
                _gated(scratch, number * width + unit, number * width + gates, half)
            if layer < n_layers - 1:
                for number in range(n_streams):
                    _add(scratch, number * width + stream, biases, bias_at, residual)
                cursor = _multiply(
                    precision, tile, weights, cursor, scratch, width, unit, half, stream, residual, quantized
                )
                bias_at += residual
            ring_at += slots

        source, n_inputs = units, n_layers * half
        for target, n in ((sums, skip), (heads, hidden), (logits, padded_outputs)):
            for number in range(n_streams):
                _copy(scratch, number * width + target, biases, bias_at, n)
            cursor = _multiply(precision, tile, weights, cursor, scratch, width, source, n_inputs, target, n, quantized)
            for number in range(n_streams if target != logits else 0):
                _rectify(scratch, number * width + target, scratch, number * width + target, n)
            bias_at += n
            source, n_inputs = target, n

        for number in range(n_streams):
            at = number * width + logits
            drawn_from = scratch[at : at + n_outputs]
            if outputs.shape[1]:
                outputs[number, sample] = drawn_from
            if sample < forced.shape[1]:
                previous[number] = forced[number, sample]
            else:
                pair = uniforms[number, sample]
                previous[number] = _draw(distribution, drawn_from, pair, temperature, top_k, top_p)
            samples[number, sample] = previous[number]

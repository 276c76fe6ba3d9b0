"""The files of a program as text: the C file, its header, and an example that reads samples from its standard input."""

from __future__ import annotations

from collections.abc import Iterator

from .constants import MAGIC
from .program import Program, arena_of
from .text import comment

__all__ = ["bytes_of", "example", "header", "source"]

_BLOCKS = """\
/* 16 sums side by side: a vector where the compiler has vectors, an array otherwise. */
#if defined(__GNUC__) && !defined(@_PLAIN)
typedef float block __attribute__((vector_size(64), aligned(4), may_alias));
#define LOAD(a, p) ((a) = *(const block *)(p))
#define STORE(p, a) (*(block *)(p) = (a))
#define ZERO(a) ((a) = (block){0})
#define MAC(a, e, w) ((a) += (e) * (w))
#else
typedef struct { float v[16]; } block;
#define LOAD(a, p) memcpy((a).v, (p), sizeof(block))
#define STORE(p, a) memcpy((p), (a).v, sizeof(block))
#define ZERO(a) memset((a).v, 0, sizeof(block))
#define MAC(a, e, w) do { const float e_ = (e); for (int v_ = 0; v_ < 16; v_++) (a).v[v_] += e_ * (w).v[v_]; } while (0)
#endif
"""

_LOAD = """\
int @_load(const char *path)
{
    char mark[8];
    unsigned char size[8];
    uint64_t count = 0, one = 0, two = 0;
    FILE *const file = fopen(path, "rb");
    loaded = 0;
    if (!file)
        return 1;
    int good = fread(mark, 8, 1, file) == 1 && memcmp(mark, "%s", 8) == 0 && fread(size, 8, 1, file) == 1;
    for (int i = 7; good && i >= 0; i--)
        count = count << 8 | size[i];
    good = good && count == %d && fread(weights, sizeof(float), %d, file) == %d && fgetc(file) == EOF;
    fclose(file);
    for (size_t i = 0; good && i < %d; i++) {
        uint32_t word;
        memcpy(&word, weights + i, 4);
        one += word;
        two += one;
    }
    if (!good || one != UINT64_C(%d) || two != UINT64_C(%d))
        return 2;
    loaded = 1;
    return 0;
}
"""


def _about(p: Program) -> Iterator[str]:
    for port in p.inputs:
        yield f" * {port.name}: {' x '.join(map(str, port.shape)) or 'one number'} ({port.value.ctype})"
    yield " *   gives"
    for port in p.outputs:
        yield f" * {port.name}: {' x '.join(map(str, port.shape)) or 'one number'} ({port.value.ctype})"


def header(p: Program, weights: str) -> Iterator[str]:
    """The header. ``weights`` is the name of the side file, "" where the constants are in the C file."""
    yield from (f"/* {p.name}: a model as a C program, written by dovetail-onnx. One sample is", *_about(p), " */")
    yield from (f"#ifndef {p.upper}_H", f"#define {p.upper}_H", "", "#include <stddef.h>", "#include <stdint.h>", "")
    for port in (*p.inputs, *p.outputs):
        shape = ", ".join(map(str, port.shape)) or "1"
        yield f"#define {p.upper}_{port.macro}_SIZE {port.size} /* numbers in one sample */"
        yield f"#define {p.upper}_{port.macro}_RANK {len(port.shape)}"
        yield f"#define {p.upper}_{port.macro}_SHAPE {{{shape}}}"
    yield f"#define {p.upper}_MEMORY {bytes_of(p)} /* bytes of static memory, constants apart */"
    if weights:
        yield f'#define {p.upper}_WEIGHTS "{weights}"'
    yield from ("", "#ifdef __cplusplus", 'extern "C" {', "#endif", "")
    if weights:
        yield "/* Read the weights before the first run: 0 when they are there, 1 when the file cannot be opened, 2 when it is another. */"
        yield from (f"int {p.name}_load(const char *path);", "")
    yield "/* Run n samples, which lie one after the other; the arrays must not overlap. 0 when all is well, 1 when an index in the"
    yield f"   data is out of range{', 2 when the weights are not loaded' if weights else ''}. One call at a time: the memory is static. */"
    yield from (f"{p.prototype};", "", "#ifdef __cplusplus", "}", "#endif", "", "#endif")


def bytes_of(p: Program) -> int:
    sizes = {"float": 4, "int64_t": 8, "int32_t": 4}
    return sum(count * sizes.get(ctype, 1) for ctype, count in p.memory.items())


def source(p: Program, stem: str, weights: str) -> Iterator[str]:
    """The C file."""
    body = [line for block in p.functions() for line in block.split("\n")]
    yield from (f"/* {p.name}: a model as a C99 program, written by dovetail-onnx. Nothing is allocated.", *_about(p), " */")
    yield from (f'#include "{stem}.h"', "", "#include <math.h>", *["#include <stdio.h>"] * bool(weights), "#include <string.h>", "")
    if any("block a0" in line for line in body):
        yield from _BLOCKS.replace("@", p.upper).splitlines()
        yield ""
    if p.memory:
        yield '/* Where values lie between the functions; -D...="static _Thread_local" gives each thread its own. */'
        yield from (f"#ifndef {p.upper}_STORAGE", f"#define {p.upper}_STORAGE static", "#endif")
    for ctype, count in p.memory.items():
        yield f"{p.upper}_STORAGE {ctype} {arena_of(ctype)}[{max(count, 1)}];"
    if weights:
        yield from (f"static float weights[{max(p.constants.count, 1)}];", "static int loaded;")
    yield ""
    yield from p.constants.declarations()
    yield from ("", *body, *p.sample(), "")
    if weights:
        one, two = p.constants.check()
        count = p.constants.count
        yield from (_LOAD.replace("@", p.name) % (MAGIC, count, count, count, count, one, two)).splitlines()
        yield ""
    yield from (p.prototype, "{", "    int failed = 0;")
    if weights:
        yield from ("    if (!loaded)", "        return 2;")
    steps = ", ".join(f"{port.name} + i * {port.size}" for port in (*p.inputs, *p.outputs))
    yield from ("    for (size_t i = 0; i < n; i++)", f"        failed |= sample({steps});", "    return failed;", "}")


def example(p: Program, stem: str, weights: str) -> Iterator[str]:
    """A main program: raw numbers from the standard input, a line of results a sample."""
    sizes = " + ".join(f"{port.size} {port.value.ctype}" for port in p.inputs)
    yield f"/* ./{comment(stem)}_main < samples.bin: each sample is {sizes}, as they lie in memory; a line of results for each. */"
    yield from (f'#include "{stem}.h"', "", "#include <stdio.h>", "")
    for port in (*p.inputs, *p.outputs):
        yield f"static {port.value.ctype} {port.name}[{p.upper}_{port.macro}_SIZE];"
    yield from ("", "int main(int argc, char **argv)", "{")
    if weights:
        yield f"    if ({p.name}_load(argc > 1 ? argv[1] : {p.upper}_WEIGHTS)) {{"
        yield from ('        fputs("the weights cannot be read\\n", stderr);', "        return 1;", "    }")
    else:
        yield from ("    (void)argc;", "    (void)argv;")
    read = " && ".join(f"fread({port.name}, sizeof {port.name}, 1, stdin) == 1" for port in p.inputs) or "!feof(stdin)"
    given = ", ".join(port.name for port in (*p.inputs, *p.outputs))
    yield from (f"    while ({read}) {{", f"        if ({p.name}_run(1, {given}))", "            return 2;")
    for port in p.outputs:
        form, cast = ('"%.9g "', "(double)") if port.value.ctype == "float" else ('"%lld "', "(long long)")
        yield from (f"        for (int i = 0; i < {p.upper}_{port.macro}_SIZE; i++)", f"            printf({form}, {cast}{port.name}[i]);")
    yield from ("        putchar('\\n');", "    }", "    return 0;", "}")

/* Memory: what is kept until the instance goes, and above it what one call uses. */
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536

typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef v128_t vec;

extern u8 __heap_base;

static size_t kept, top;
static i32 exhausted;

/* Memory until the end of the call, aligned for vectors. Traps where the browser has no more, and notes it. */
static void *take(size_t bytes)
{
    size_t start = top, end = (top + bytes + 63) & ~(size_t)63;
    size_t here = __builtin_wasm_memory_size(0) * (size_t)PAGE;
    if (end < start || (end > here && __builtin_wasm_memory_grow(0, (end - here + PAGE - 1) / PAGE) == (size_t)-1)) {
        exhausted = 1;
        __builtin_trap();
    }
    top = end;
    return (void *)start;
}

static void *take_zero(size_t bytes)
{
    return __builtin_memset(take(bytes), 0, bytes);
}

/* Every call from outside begins with this: what an earlier one used is free again, even if it trapped. */
static void begin(void)
{
    if (!kept) kept = ((size_t)&__heap_base + 63) & ~(size_t)63;
    top = kept;
}

EXPORT(keep) void *keep(size_t bytes)
{
    begin();
    void *start = take_zero(bytes);
    kept = top;
    return start;
}

/* Lets go of what was kept last. */
EXPORT(let_go) void let_go(void *start)
{
    kept = (size_t)start;
}

EXPORT(memory_exhausted) i32 memory_exhausted(void)
{
    return exhausted;
}

static inline i32 clip(i32 value, i32 lowest, i32 highest)
{
    return value < lowest ? lowest : value > highest ? highest : value;
}

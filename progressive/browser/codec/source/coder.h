/* The range decoder: words of 32 bits, a state of 64, probabilities of 24 bits (as constriction's default). */

#define PRECISION 24
#define TOTAL_BITS 14
#define TOTAL (1 << TOTAL_BITS)

/* `at` is the next byte to read; zeros follow the end. The code so far lies in [lower, lower + range). */
typedef struct {
    const u8 *data;
    i32 size, at, damaged;
    u64 point, lower, range;
} Coder;

static u32 next_word(Coder *c)
{
    u32 word = 0;
    for (i32 i = 0; i < 4; i++, c->at++) word = word << 8 | (c->at < c->size ? c->data[c->at] : 0);
    return word;
}

static Coder coder_of(const u8 *data, i32 size)
{
    Coder c = {data, size, 0, 0, 0, 0, ~(u64)0};
    c.point = (u64)next_word(&c) << 32;
    c.point |= next_word(&c);
    return c;
}

/* One symbol of a row of frequencies, each at least 1, which sum to TOTAL. A damaged code gives zeros. */
static i32 decoded(Coder *c, const u16 *frequencies, i32 symbols)
{
    u64 scale = c->range >> PRECISION, offset = c->point - c->lower;
    if (c->damaged || offset >= scale << PRECISION) {
        c->damaged = 1;
        return 0;
    }
    /* Each symbol has one part of 2^24 for itself; the others are shared by frequency. */
    u64 shared = ((u64)1 << PRECISION) - (u64)symbols, sum = 0, left = 0, right = 0;
    for (i32 symbol = 0; symbol < symbols; symbol++) {
        sum += frequencies[symbol];
        right = symbol == symbols - 1 ? (u64)1 << PRECISION : (sum * shared >> TOTAL_BITS) + (u64)symbol + 1;
        if (offset < scale * right) {
            c->lower += scale * left;
            c->range = scale * (right - left);
            if (!(c->range >> 32)) {
                c->lower <<= 32;
                c->range <<= 32;
                c->point = c->point << 32 | next_word(c);
            }
            return symbol;
        }
        left = right;
    }
    __builtin_unreachable();
}

/* Whether the code is the one that an encoder writes for what was decoded: the shortest, or whole words. */
static i32 whole(const Coder *c)
{
    if (c->damaged || c->size > c->at || (c->size && !c->data[c->size - 1])) return 0;
    u64 offset = c->point - c->lower, shortest = -c->lower;
    for (i32 spare = 56; shortest >= c->range; spare -= 8) shortest = -c->lower & (((u64)1 << spare) - 1);
    if (offset == shortest) return 1;
    u64 end = c->lower + 0xffffffff;
    i32 two = end >> 32 == (c->lower + c->range) >> 32;
    return offset == (two ? 0xffffffff : (end & ~(u64)0xffffffff) - c->lower);
}

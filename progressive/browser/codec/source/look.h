/* What is given of blocks before a level, and the look that says which of their symbols come in which tier. */

#define DESCRIBED (LUMA_SEEN + COLOUR_SEEN)
#define SLOTS 9
#define GIVEN 60
#define LEAST_ZERO (-32)
#define ZERO_ROWS 64
#define LEAST_SIGN (-12)
#define SIGN_ROWS 25
#define PARENT_ROWS (ZERO_ROWS * SIGN_ROWS)
#define SIZE_OF_ONE 64
#define BLOCK_SIDE 32

enum { ZERO, OUTWARD, INWARD };

/* What a segment decodes: blocks and their coefficients, of all scales [scales][blocks of it][..] as in a tile. */
typedef struct {
    Tile *tile;
    const u8 *blocks;
    i32 count, plane, tier;
    const u16 *table;
    const i8 *points;
    i8 *symbols;
    u8 *tiers;
    i8 *found;
} Level;

static inline i32 row_of(const Level *l, i32 zero, i32 sign, i32 parent)
{
    if (parent && SPLITS[l->plane] == 2) sign = 0;
    return clip(zero - LEAST_ZERO, 0, ZERO_ROWS - 1) * SIGN_ROWS + clip(sign - LEAST_SIGN, 0, SIGN_ROWS - 1) +
           (parent ? PARENT_ROWS : 0);
}

/* What networks see of a block's indices, [positions][18]: luma above zero, below it, the colours likewise. */
static void describe(const i16 *index, i32 scale, i16 *out)
{
    for (i32 i = 0; i < SIDES[scale] * SIDES[scale]; i++, index += CHANNELS[scale], out += DESCRIBED) {
        __builtin_memset(out, 0, 2 * DESCRIBED);
        i32 apart = scale ? 1 : BANDS;
        for (i32 c = 0; c < LUMA[scale]; c++) write_seen(out, BANDS, c * apart, index[c], size_of(index[c]));
        for (i32 c = LUMA[scale]; c < CHANNELS[scale]; c++)
            write_seen(out + LUMA_SEEN, 2 * BANDS, (c - LUMA[scale]) * apart, index[c], size_of(index[c]));
    }
}

static inline i32 size_seen(const i16 *seen, i32 slot)
{
    return slot < BANDS ? seen[slot] + seen[BANDS + slot]
                        : seen[LUMA_SEEN + slot - BANDS] + seen[LUMA_SEEN + 2 * BANDS + slot - BANDS];
}

/* What is given at positions of a block, [positions][60]: the base's features, the indices so far, and the mean sizes of
   those of the next finer scale. At those of a mask, or null for all. */
static void make_given(const Tile *tile, i32 block, i32 scale, const u8 *mask, i16 *given)
{
    static i16 here[BLOCK_SIDE * BLOCK_SIDE * DESCRIBED], finer[BLOCK_SIDE * BLOCK_SIDE * DESCRIBED];
    const i32 side = SIDES[scale];
    const u8 *context = tile->contexts + contexts(tile, scale, block);
    describe(tile->index + coefficients(tile->blocks, scale, block), scale, here);
    i32 ratio = scale == FINEST ? 0 : SIDES[scale + 1] / side;
    if (ratio) describe(tile->index + coefficients(tile->blocks, scale + 1, block), scale + 1, finer);
    for (i32 i = 0; i < side * side; i++, given += GIVEN) {
        if (mask && !mask[i]) continue;
        for (i32 c = 0; c < CONTEXT; c++) given[c] = context[i * CONTEXT + c];
        for (i32 c = 0; c < DESCRIBED; c++) given[CONTEXT + c] = here[i * DESCRIBED + c];
        const i16 *below = finer + (i / side * ratio * side * ratio + i % side * ratio) * DESCRIBED;
        const i16 *under = below + side * ratio * DESCRIBED;
        for (i32 slot = 0; slot < SLOTS; slot++) {
            i32 size = 0;
            if (ratio == 1) size = size_seen(below, slot);
            if (ratio == 2)
                size = (size_seen(below, slot) + size_seen(below + DESCRIBED, slot) + size_seen(under, slot) +
                        size_seen(under + DESCRIBED, slot)) >> 2;
            given[CONTEXT + DESCRIBED + slot] = (i16)size;
        }
        given[GIVEN - 1] = 0;
    }
}

/* Before the first tier of a plane: which symbols come with it, and where coefficients are expected until they do. */
static void look(const Level *l, i32 number, i32 scale, i16 *padded)
{
    static i16 given[BLOCK_SIDE * BLOCK_SIDE * GIVEN];
    static i16 rows[BLOCK_SIDE * 48], outputs[BLOCK_SIDE * GROUP * 3];
    const i32 side = SIDES[scale], kind = scale * PLANES + l->plane, apart = scale ? 1 : BANDS, each = GROUP * 3;
    i32 list[BLOCK_SIDE];
    const Places row = places_in(0, side, list);
    const i16 *parents = l->tile->index + coefficients(l->tile->blocks, scale, l->blocks[number]);
    i32 at = coefficients(l->count, scale, number);
    Part parts[3];
    make_given(l->tile, l->blocks[number], scale, 0, given);
    __builtin_memset(padded, 0, 2 * (size_t)((side + 2) * (side + 2) * 48));
    for (i32 y = 0; y < side; y++) {
        parts[0] = (Part){given + y * side * GIVEN, GIVEN, GIVEN / 2};
        convolve(&layers[LOOK], kind, parts, row, padded + ((y + 1) * (side + 2) + 1) * 48, 48, 0);
    }
    for (i32 y = 0; y < side; y++) {
        for (i32 part = 0; part < 3; part++) parts[part] = (Part){padded + (y + part) * (side + 2) * 48, 48, 72};
        convolve(&layers[LOOK + 1], 0, parts, row, rows, 48, 0);
        parts[0] = (Part){rows, 48, 24};
        convolve(&layers[LOOK + 2], kind, parts, row, outputs, each, 0);
        for (i32 x = 0; x < side; x++)
            for (i32 c = 0; c < CHANNELS[scale]; c++, at++, parents++) {
                i32 likely = row_of(l, outputs[x * each + c * apart], outputs[x * each + SLOTS + c * apart], *parents);
                u8 tier = tables.tiers[l->plane][likely];
                i8 point = tables.look_points[l->plane][2 * likely + (tier == NEVER)];
                l->tiers[at] = tier;
                l->found[at] = *parents < 0 ? (i8)-point : point;
            }
    }
}

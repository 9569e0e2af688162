/* A level of some blocks of a tile: the symbols of one tier of a plane, each beside what is known around it. */

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
    const Tile *tile;
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

/* What is given at each position of a block, [positions][60]: the base's features, the indices so far, and the mean
   sizes of those of the next finer scale. `finer` is scratch. */
static void make_given(const Tile *tile, i32 block, i32 scale, i16 *here, i16 *finer, i16 *given)
{
    const i32 side = SIDES[scale];
    const u8 *context = tile->contexts + contexts(tile, scale, block);
    describe(tile->index + coefficients(tile->blocks, scale, block), scale, here);
    i32 ratio = scale == FINEST ? 0 : SIDES[scale + 1] / side;
    if (ratio) describe(tile->index + coefficients(tile->blocks, scale + 1, block), scale + 1, finer);
    for (i32 i = 0; i < side * side; i++, given += GIVEN) {
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
static void look(const Level *l, i32 number, i32 scale, const i16 *given, i16 *padded)
{
    static i16 rows[BLOCK_SIDE * 48], outputs[BLOCK_SIDE * GROUP * 3];
    const i32 side = SIDES[scale], kind = scale * PLANES + l->plane, apart = scale ? 1 : BANDS, each = GROUP * 3;
    const i16 *parents = l->tile->index + coefficients(l->tile->blocks, scale, l->blocks[number]);
    i32 at = coefficients(l->count, scale, number);
    Part parts[3];
    for (i32 y = 0; y < side; y++) {
        parts[0] = (Part){given + y * side * GIVEN, GIVEN, GIVEN / 2};
        convolve(&layers[LOOK], kind, parts, side, padded + ((y + 1) * (side + 2) + 1) * 48, 48, 0);
    }
    for (i32 y = 0; y < side; y++) {
        for (i32 part = 0; part < 3; part++) parts[part] = (Part){padded + (y + part) * (side + 2) * 48, 48, 72};
        convolve(&layers[LOOK + 1], 0, parts, side, rows, 48, 0);
        parts[0] = (Part){rows, 48, 24};
        convolve(&layers[LOOK + 2], kind, parts, side, outputs, each, 0);
        for (i32 x = 0; x < side; x++)
            for (i32 c = 0; c < CHANNELS[scale]; c++, at++, parents++) {
                i32 row = row_of(l, outputs[x * each + c * apart], outputs[x * each + SLOTS + c * apart], *parents);
                u8 tier = tables.tiers[l->plane][row];
                i8 point = tables.look_points[l->plane][2 * row + (tier == NEVER)];
                l->tiers[at] = tier;
                l->found[at] = *parents < 0 ? (i8)-point : point;
            }
    }
}

static void level_pass(Coder *coder, const Level *l, i32 number, i32 scale, i32 kind, const Field *f, const Pass *pass)
{
    static i16 parameters[BLOCK_SIDE * MAX_ROW_PARAMETERS];
    const i32 step = step_of(pass), side = SIDES[scale];
    const Coded coded = coded_of(pass, scale);
    const i32 each = layers[DEEPER.first + OUT + pass->network].groups * GROUP;
    const i32 first = coefficients(l->count, scale, number);
    const i16 *parents = l->tile->index + coefficients(l->tile->blocks, scale, l->blocks[number]);
    for (i32 corner = 0; corner < pass->corners; corner++) {
        for (i32 y = pass->top[corner]; y < side; y += step) {
            i32 count = row_parameters(&DEEPER, kind, f, pass, y, pass->left[corner], parameters);
            for (i32 i = 0; i < count; i++) {
                i32 at = (y * side + pass->left[corner] + i * step) * CHANNELS[scale] + coded.first;
                for (i32 c = 0; c < coded.count; c++, at++) {
                    if (l->tiers[first + at] != l->tier) continue;
                    i32 parent = parents[at], outward = parent < 0 ? -1 : 1;
                    const i16 *odds = parameters + i * each + (parent ? 2 * coded.all : 0) + c * coded.apart;
                    i32 row = row_of(l, odds[0], odds[coded.all], parent);
                    i32 symbol = decoded(coder, l->table + 3 * row, 3);
                    l->symbols[first + at] = (i8)(outward * ((symbol == OUTWARD) - (symbol == INWARD)));
                    l->found[first + at] = (i8)(outward * l->points[3 * row + symbol]);
                }
            }
        }
    }
}

/* Lets the networks see the symbols of a pass. */
static void show_pass(const Level *l, i32 number, i32 scale, const Field *f, const Pass *pass)
{
    const i32 step = step_of(pass), side = SIDES[scale];
    const Coded coded = coded_of(pass, scale);
    const i8 *symbols = l->symbols + coefficients(l->count, scale, number) + coded.first;
    for (i32 corner = 0; corner < pass->corners; corner++)
        for (i32 y = pass->top[corner]; y < side; y += step)
            for (i32 x = pass->left[corner]; x < side; x += step) {
                i16 *seen = pass->network == COLOUR_PASS ? f->colours + inside(f, y, x) * COLOUR_SEEN
                                                         : f->luma + inside(f, y, x) * LUMA_SEEN;
                for (i32 c = 0; c < coded.count; c++)
                    write_seen(seen, coded.all, c * coded.apart, symbols[(y * side + x) * CHANNELS[scale] + c],
                               SIZE_OF_ONE);
            }
}

/* Everything that depends on one scale of one block before its symbols. */
static void enter_block(const Level *l, i32 number, i32 scale, i32 kind, const i16 *carried, Field *f, i16 *scratch[4])
{
    const i32 side = SIDES[scale], width = DEEPER.width;
    i16 *given = scratch[2], *padded = scratch[3];
    make_given(l->tile, l->blocks[number], scale, scratch[0], scratch[1], given);
    if (l->tier == 0) look(l, number, scale, given, padded);
    clear_field(f, side, side);
    Pass passes[5];
    for (i32 pass = passes_of(scale, side, side, passes) - 1; pass >= 0; pass--)
        show_pass(l, number, scale, f, &passes[pass]);
    for (i32 y = 0; y < side; y++) {
        Part parts[4] = {
            {given + y * side * GIVEN, GIVEN, GIVEN / 2},
            {f->luma + inside(f, y, 0) * LUMA_SEEN, LUMA_SEEN, LUMA_SEEN / 2},
            {f->colours + inside(f, y, 0) * COLOUR_SEEN, COLOUR_SEEN, COLOUR_SEEN / 2},
            {carried + y * side * width, width, width / 2},
        };
        convolve(&layers[DEEPER.first + ENTER], kind, parts, side, padded + inside(f, y, 0) * width, width, 0);
    }
    make_features(&DEEPER, f, padded, padded + (BLOCK_SIDE + 2) * (BLOCK_SIDE + 2) * width);
}

static void hand_on(i32 scale, i32 kind, const Field *f, i16 *carried)
{
    static i16 row[BLOCK_SIDE * 48];
    const i32 side = SIDES[scale], width = DEEPER.width, next = SIDES[scale + 1] * width;
    for (i32 y = 0; y < side; y++) {
        row_after(&DEEPER, kind, f, y, row);
        if (SIDES[scale + 1] == side) __builtin_memcpy(carried + y * next, row, 2 * (size_t)next);
        else row_up(&DEEPER, row, side, carried + 2 * y * next, next);
    }
}

static void copy_blocks(const Level *l, i32 back)
{
    Tile *tile = (Tile *)l->tile;
    for (i32 scale = 0; scale < SCALES; scale++) {
        size_t each = (size_t)(FIRST_COEFFICIENT[scale + 1] - FIRST_COEFFICIENT[scale]);
        for (i32 number = 0; number < l->count; number++) {
            i32 here = coefficients(l->count, scale, number), there = coefficients(tile->blocks, scale, l->blocks[number]);
            if (back) {
                __builtin_memcpy(tile->symbols + there, l->symbols + here, each);
                __builtin_memcpy(tile->tiers + there, l->tiers + here, each);
                __builtin_memcpy(tile->points + there, l->found + here, each);
            } else {
                __builtin_memcpy(l->symbols + here, tile->symbols + there, each);
                __builtin_memcpy(l->tiers + here, tile->tiers + there, each);
                __builtin_memcpy(l->found + here, tile->points + there, each);
            }
        }
    }
}

/* The whole plane is known: its symbols become part of the indices. */
static void finish_plane(const Level *l)
{
    Tile *tile = (Tile *)l->tile;
    for (i32 scale = 0; scale < SCALES; scale++)
        for (i32 number = 0; number < l->count; number++) {
            i32 first = coefficients(tile->blocks, scale, l->blocks[number]);
            i32 end = first + FIRST_COEFFICIENT[scale + 1] - FIRST_COEFFICIENT[scale];
            for (i32 i = first; i < end; i++) {
                tile->index[i] = (i16)(SPLITS[l->plane] * tile->index[i] + tile->symbols[i]);
                tile->symbols[i] = 0;
            }
        }
}

/* Decodes a level (1..8) of some blocks, in rising order and all one level below; 1 if the code is whole. Otherwise
   nothing has changed. */
EXPORT(decode_level) i32 decode_level(Tile *tile, i32 level, const u8 *blocks, i32 count, const u8 *code, i32 size)
{
    begin();
    const i32 plane = (level - 1) / TIERS, tier = (level - 1) % TIERS, width = DEEPER.width;
    size_t each = (size_t)(FIRST_COEFFICIENT[SCALES] * count), positions = BLOCK_SIDE * BLOCK_SIDE;
    size_t padded = (BLOCK_SIDE + 2) * (BLOCK_SIDE + 2);
    Coder coder = coder_of(code, size);
    Level l = {tile, blocks, count, plane, tier, tables.planes[plane][tier], tables.plane_points[plane][tier],
               take(each), take(each), take(each)};
    copy_blocks(&l, 0);
    Field *fields = take(sizeof(Field) * (size_t)count);
    for (i32 i = 0; i < count; i++) fields[i] = new_field(&DEEPER, BLOCK_SIDE, BLOCK_SIDE);
    i16 *carried = take_zero(2 * positions * (size_t)(width * count));
    i16 *scratch[4] = {take(2 * positions * DESCRIBED), take(2 * positions * DESCRIBED), take(2 * positions * GIVEN),
                       take(4 * padded * (size_t)width)};
    for (i32 scale = 0; scale < SCALES; scale++) {
        const i32 kind = scale * LEVELS + level - 1, ahead = BLOCK_SIDE * BLOCK_SIDE * width;
        __builtin_memset(scratch[3], 0, 4 * padded * (size_t)width);
        for (i32 i = 0; i < count; i++) enter_block(&l, i, scale, kind, carried + i * ahead, &fields[i], scratch);
        Pass passes[5];
        i32 all = passes_of(scale, SIDES[scale], SIDES[scale], passes);
        for (i32 pass = 0; pass < all && !coder.damaged; pass++)
            for (i32 i = 0; i < count; i++) {
                level_pass(&coder, &l, i, scale, kind, &fields[i], &passes[pass]);
                show_pass(&l, i, scale, &fields[i], &passes[pass]);
            }
        if (coder.damaged) return 0;
        if (scale != FINEST)
            for (i32 i = 0; i < count; i++) hand_on(scale, kind, &fields[i], carried + i * ahead);
    }
    if (!whole(&coder)) return 0;
    copy_blocks(&l, 1);
    if (tier == TIERS - 1) finish_plane(&l);
    for (i32 i = 0; i < count; i++) tile->levels[blocks[i]] = (u8)level;
    return 1;
}

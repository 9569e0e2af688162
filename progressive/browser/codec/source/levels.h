/* A level of some blocks of a tile: the symbols of one tier of a plane, each beside what is known around it. */

/* Work at each scale only where a symbol of the tier is, or what such a symbol depends on. */
static void dilate(const u8 *mask, i32 side, u8 *out)
{
    for (i32 y = 0; y < side; y++)
        for (i32 x = 0; x < side; x++) {
            i32 any = 0;
            for (i32 v = y ? y - 1 : 0; v <= y + 1 && v < side; v++)
                for (i32 u = x ? x - 1 : 0; u <= x + 1 && u < side; u++) any |= mask[v * side + u];
            out[y * side + x] = (u8)any;
        }
}

static Needed new_needed(i32 scale)
{
    size_t positions = (size_t)(SIDES[scale] * SIDES[scale]);
    return (Needed){take(positions), take(positions), take(positions), take(positions)};
}

static void find_needed(const Level *l, i32 number, Needed needed[SCALES])
{
    for (i32 scale = FINEST; scale >= 0; scale--) {
        const i32 side = SIDES[scale];
        const u8 *tiers = l->tiers + coefficients(l->count, scale, number);
        Needed *here = &needed[scale];
        for (i32 i = 0; i < side * side; i++) {
            i32 any = 0;
            for (i32 c = 0; c < CHANNELS[scale]; c++, tiers++) any |= *tiers == l->tier;
            here->after[i] = 0, here->features[i] = (u8)any;
        }
        if (scale != FINEST) {
            const i32 finer = SIDES[scale + 1], ratio = finer / side;
            for (i32 i = 0; i < finer * finer; i++)
                here->after[i / finer / ratio * side + i % finer / ratio] |= needed[scale + 1].entered[i];
            for (i32 i = 0; i < side * side; i++) here->features[i] |= here->after[i];
        }
        dilate(here->features, side, here->between);
        dilate(here->between, side, here->entered);
    }
}

static void level_pass(Coder *coder, const Level *l, i32 number, i32 scale, i32 kind, const Field *f, const Pass *pass)
{
    static i16 parameters[BLOCK_SIDE * MAX_ROW_PARAMETERS];
    i32 list[BLOCK_SIDE];
    const i32 step = step_of(pass), side = SIDES[scale];
    const Coded coded = coded_of(pass, scale);
    const i32 each = layers[DEEPER.first + OUT + pass->network].groups * GROUP;
    const i32 first = coefficients(l->count, scale, number);
    const i16 *parents = l->tile->index + coefficients(l->tile->blocks, scale, l->blocks[number]);
    for (i32 corner = 0; corner < pass->corners; corner++) {
        for (i32 y = pass->top[corner]; y < side; y += step) {
            const i32 row_at = (y * side + pass->left[corner]) * CHANNELS[scale] + coded.first;
            Places places = {list, 0};
            for (i32 i = 0; i < count_of(f, pass, pass->left[corner]); i++) {
                const u8 *tiers = l->tiers + first + row_at + i * step * CHANNELS[scale];
                i32 any = 0;
                for (i32 c = 0; c < coded.count; c++) any |= tiers[c] == l->tier;
                if (any) list[places.count++] = i;
            }
            row_parameters(&DEEPER, kind, f, pass, y, pass->left[corner], places, parameters);
            for (i32 place = 0; place < places.count; place++) {
                const i32 i = list[place];
                i32 at = row_at + i * step * CHANNELS[scale];
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

/* Features of one scale of a block, before its symbols. `padded` has a border of zeros, and so has what follows it. */
static void enter_block(const Level *l, i32 number, i32 scale, i32 kind, Needed needed, const i16 *carried, Field *f,
                        i16 *padded)
{
    static i16 given[BLOCK_SIDE * BLOCK_SIDE * GIVEN];
    const i32 side = SIDES[scale], width = DEEPER.width;
    i32 list[BLOCK_SIDE];
    make_given(l->tile, l->blocks[number], scale, needed.entered, given);
    clear_field(f, side, side);
    Pass passes[MAX_PASSES];
    for (i32 pass = passes_of(scale, side, side, passes) - 1; pass >= 0; pass--)
        show_pass(l, number, scale, f, &passes[pass]);
    for (i32 y = 0; y < side; y++) {
        Part parts[4] = {
            {given + y * side * GIVEN, GIVEN, GIVEN / 2},
            {f->luma + inside(f, y, 0) * LUMA_SEEN, LUMA_SEEN, LUMA_SEEN / 2},
            {f->colours + inside(f, y, 0) * COLOUR_SEEN, COLOUR_SEEN, COLOUR_SEEN / 2},
            {carried + y * side * width, width, width / 2},
        };
        Places places = places_in(needed.entered + y * side, side, list);
        convolve(&layers[DEEPER.first + ENTER], kind, parts, places, padded + inside(f, y, 0) * width, width, 0);
    }
    make_features(&DEEPER, f, needed, padded, padded + (BLOCK_SIDE + 2) * (BLOCK_SIDE + 2) * width);
}

/* What a scale of a block hands to the next one. */
static void hand_on(i32 scale, i32 kind, const Field *f, const u8 *needed, i16 *carried)
{
    static i16 row[BLOCK_SIDE * 48];
    const i32 side = SIDES[scale], width = DEEPER.width, next = SIDES[scale + 1] * width;
    i32 list[BLOCK_SIDE];
    for (i32 y = 0; y < side; y++) {
        Places places = places_in(needed + y * side, side, list);
        row_after(&DEEPER, kind, f, y, places, row);
        if (SIDES[scale + 1] == side) __builtin_memcpy(carried + y * next, row, 2 * (size_t)next);
        else row_up(&DEEPER, row, places, carried + 2 * y * next, next);
    }
}

static void copy_blocks(const Level *l, i32 back)
{
    Tile *tile = l->tile;
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
    Tile *tile = l->tile;
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
    size_t bordered = 4 * (BLOCK_SIDE + 2) * (BLOCK_SIDE + 2) * (size_t)width;
    Coder coder = coder_of(code, size);
    Level l = {tile, blocks, count, plane, tier, tables.planes[plane][tier], tables.plane_points[plane][tier],
               take(each), take(each), take(each)};
    copy_blocks(&l, 0);
    Field *fields = take(sizeof(Field) * (size_t)count);
    Needed(*needed)[SCALES] = take(sizeof(Needed) * SCALES * (size_t)count);
    i16 *carried = take_zero(2 * positions * (size_t)(width * count)), *padded = take_zero(bordered);
    for (i32 i = 0; i < count; i++) {
        for (i32 scale = 0; tier == 0 && scale < SCALES; scale++) look(&l, i, scale, padded);
        for (i32 scale = 0; scale < SCALES; scale++) needed[i][scale] = new_needed(scale);
        find_needed(&l, i, needed[i]);
        fields[i] = new_field(&DEEPER, BLOCK_SIDE, BLOCK_SIDE);
    }
    for (i32 scale = 0; scale < SCALES; scale++) {
        const i32 kind = scale * LEVELS + level - 1, ahead = BLOCK_SIDE * BLOCK_SIDE * width;
        __builtin_memset(padded, 0, bordered);
        for (i32 i = 0; i < count; i++)
            enter_block(&l, i, scale, kind, needed[i][scale], carried + i * ahead, &fields[i], padded);
        Pass passes[MAX_PASSES];
        i32 all = passes_of(scale, SIDES[scale], SIDES[scale], passes);
        for (i32 pass = 0; pass < all && !coder.damaged; pass++)
            for (i32 i = 0; i < count; i++) {
                level_pass(&coder, &l, i, scale, kind, &fields[i], &passes[pass]);
                show_pass(&l, i, scale, &fields[i], &passes[pass]);
            }
        if (coder.damaged) return 0;
        if (scale != FINEST)
            for (i32 i = 0; i < count; i++)
                hand_on(scale, kind, &fields[i], needed[i][scale].after, carried + i * ahead);
    }
    if (!whole(&coder)) return 0;
    copy_blocks(&l, 1);
    if (tier == TIERS - 1) finish_plane(&l);
    for (i32 i = 0; i < count; i++) tile->levels[blocks[i]] = (u8)level;
    return 1;
}

/* The base of a tile: scale after scale, each symbol about a mean that the networks predict. */

#define MAX_INDEX 63
#define MEAN_STEPS 8
#define LEAST_SCALE (-26)
#define SCALE_ROWS 59
#define SURE 8
#define LOWEST_GAIN 7
#define ESCAPES (2 * MAX_INDEX + 2)

static inline i32 reach_of(i32 scale)
{
    return scale < 4 ? 20 : 2;
}

static inline i32 floor_eighth(i32 value)
{
    return value >> 3;
}

/* Where the coefficients of a position of the tile are in the tile's arrays. */
static inline i32 place_in(const Tile *tile, i32 scale, i32 y, i32 x)
{
    i32 side = SIDES[scale], block = y / side * tile->columns + x / side;
    return coefficients(tile->blocks, scale, block) + (y % side * side + x % side) * CHANNELS[scale];
}

static i32 base_pass(Coder *coder, Tile *tile, i32 scale, const Field *f, const Pass *pass, i32 *escaped)
{
    static i16 parameters[MAX_SIDE * MAX_ROW_PARAMETERS];
    const i32 fine = scale >= 4, reach = reach_of(scale), symbols = 2 * reach + 2, step = step_of(pass);
    const Coded coded = coded_of(pass, scale);
    const i32 each = layers[BASE.first + OUT + pass->network].groups * GROUP;
    const u16 *table = tables.base[fine];
    const i8 *points = tables.base_points[fine];
    i32 escapes = 0, list[MAX_SIDE];
    for (i32 corner = 0; corner < pass->corners; corner++) {
        for (i32 y = pass->top[corner]; y < f->height; y += step) {
            const i32 count = count_of(f, pass, pass->left[corner]);
            row_parameters(&BASE, scale, f, pass, y, pass->left[corner], places_in(0, count, list), parameters);
            for (i32 i = 0; i < count; i++) {
                i32 at = place_in(tile, scale, y, pass->left[corner] + i * step) + coded.first;
                for (i32 c = 0; c < coded.count; c++) {
                    i32 mean = parameters[i * each + c * coded.apart];
                    i32 spread = parameters[i * each + coded.all + c * coded.apart];
                    i32 centre = clip(floor_eighth(mean + MEAN_STEPS / 2), -MAX_INDEX, MAX_INDEX);
                    i32 fraction = clip(mean - MEAN_STEPS * centre + MEAN_STEPS / 2, 0, MEAN_STEPS - 1);
                    i32 row = clip(spread - LEAST_SCALE, 0, SCALE_ROWS - 1) * MEAN_STEPS + fraction;
                    const u16 *frequencies = table + row * symbols;
                    i32 symbol = reach;
                    if (TOTAL - frequencies[reach] > SURE) symbol = decoded(coder, frequencies, symbols);
                    if (symbol == symbols - 1) escaped[escapes++] = at + c;
                    tile->index[at + c] = (i16)(symbol - reach + centre);
                    tile->points[at + c] = points[row * symbols + symbol];
                }
            }
        }
        if (coder->damaged) return 0;
    }
    u16 alike[ESCAPES];
    for (i32 i = 0; i < ESCAPES; i++) alike[i] = TOTAL / ESCAPES;
    for (i32 i = 0; i < escapes; i++) tile->index[escaped[i]] = (i16)(decoded(coder, alike, ESCAPES) - MAX_INDEX);
    for (i32 corner = 0; corner < pass->corners; corner++) {
        for (i32 y = pass->top[corner]; y < f->height; y += step) {
            for (i32 x = pass->left[corner]; x < f->width; x += step) {
                const i16 *index = tile->index + place_in(tile, scale, y, x) + coded.first;
                i16 *seen = pass->network == COLOUR_PASS ? f->colours + inside(f, y, x) * COLOUR_SEEN
                                                         : f->luma + inside(f, y, x) * LUMA_SEEN;
                for (i32 c = 0; c < coded.count; c++) {
                    if (index[c] > MAX_INDEX || index[c] < -MAX_INDEX) return 0;
                    i32 lowest = LOWEST_GAIN * (index[c] < 0 ? -index[c] : index[c]);
                    i32 size = scale ? size_of(index[c]) : lowest > 255 ? 255 : lowest;
                    write_seen(seen, coded.all, c * coded.apart, index[c], size);
                }
            }
        }
    }
    return !coder->damaged;
}

/* One scale, from what the scale before hands on, [height][width][32]; `after` takes what this one will. */
static i32 base_scale(Coder *coder, Tile *tile, i32 scale, const i16 *carried, i16 *after)
{
    const i32 side = SIDES[scale], height = tile->rows * side, width = tile->columns * side;
    size_t padded = 2 * (size_t)((height + 2) * (width + 2) * BASE.width);
    i16 *entered = take_zero(padded), *between = take_zero(padded);
    Field f = new_field(&BASE, height, width);
    clear_field(&f, height, width);
    i32 list[MAX_SIDE];
    const Places row = places_in(0, width, list);
    for (i32 y = 0; y < height; y++) {
        Part part = {carried + y * width * BASE.width, BASE.width, BASE.width / 2};
        convolve(&layers[BASE.first + ENTER], scale, &part, row, entered + inside(&f, y, 0) * BASE.width, BASE.width,
                 0);
    }
    make_features(&BASE, &f, EVERYTHING, entered, between);
    i32 *escaped = take(sizeof(i32) * (size_t)(height * width * 2 * BANDS));
    Pass passes[MAX_PASSES];
    i32 count = passes_of(scale, height, width, passes);
    for (i32 pass = 0; pass < count; pass++)
        if (!base_pass(coder, tile, scale, &f, &passes[pass], escaped)) return 0;
    for (i32 y = 0; y < height; y++) row_after(&BASE, scale, &f, y, row, after + y * width * BASE.width);
    for (i32 y = 0; y < height; y++)
        for (i32 x = 0; x < width; x++) {
            i32 block = y / side * tile->columns + x / side;
            u8 *context = tile->contexts + contexts(tile, scale, block) + (y % side * side + x % side) * CONTEXT;
            for (i32 c = 0; c < CONTEXT; c++) context[c] = (u8)after[(y * width + x) * CONTEXT + c];
        }
    return 1;
}

/* Decodes stages `tile->stages`..`last`; 1 if the code is whole. Otherwise they are not known. */
EXPORT(decode_base) i32 decode_base(Tile *tile, i32 last, const u8 *code, i32 size)
{
    begin();
    Coder coder = coder_of(code, size);
    const i32 blocks = tile->blocks, first = tile->stages;
    size_t largest = 2 * (size_t)(blocks * SIDES[last] * SIDES[last] * BASE.width);
    i16 *carried = take_zero(largest), *after = take_zero(largest);
    if (first) {
        i32 side = SIDES[first - 1], width = tile->columns * side;
        for (i32 block = 0; block < blocks; block++)
            for (i32 i = 0; i < side * side; i++) {
                i32 y = block / tile->columns * side + i / side, x = block % tile->columns * side + i % side;
                const u8 *context = tile->contexts + contexts(tile, first - 1, block) + i * CONTEXT;
                for (i32 c = 0; c < CONTEXT; c++) after[(y * width + x) * CONTEXT + c] = context[c];
            }
    }
    size_t used = top;
    for (i32 scale = first; scale <= last; scale++, top = used) {
        if (scale && SIDES[scale] == SIDES[scale - 1]) {
            i16 *swap = carried;
            carried = after, after = swap;
        } else if (scale) {
            i32 width = tile->columns * SIDES[scale - 1], next = 2 * width * BASE.width, list[MAX_SIDE];
            for (i32 y = 0; y < tile->rows * SIDES[scale - 1]; y++)
                row_up(&BASE, after + y * width * BASE.width, places_in(0, width, list), carried + 2 * y * next, next);
        }
        if (!base_scale(&coder, tile, scale, carried, after)) return 0;
    }
    if (!whole(&coder)) return 0;
    tile->stages = last + 1;
    return 1;
}

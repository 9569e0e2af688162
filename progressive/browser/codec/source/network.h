/* What a network at a quarter of the resolution adds to the linear picture (`backbones/multiscale/synthesis.py`). */

#define CELL 4
#define CELLS (BLOCK / CELL)
#define CELL_PIXELS (3 * CELL * CELL)
#define WIDTH 64
#define EXPANDED 256
#define COARSE_WIDTH 96
#define COARSE_GROUPS 4
#define BODIES 4
#define BORDER 2
#define TAPS ((2 * BORDER + 1) * (2 * BORDER + 1))
#define CHUNK 16

enum {
    NET_ENTER = TRANSFORM_LAYERS,
    NET_COARSE,
    NET_COARSE_BODY = NET_COARSE + COARSE_GROUPS,
    NET_COARSE_OUT = NET_COARSE_BODY + 4,
    NET_BODY,
    NET_LEAVE = NET_BODY + 2 * BODIES
};

/* Weights of the depthwise layers, [taps][width], the coarse ones first; then their biases; and what states add. */
static struct {
    float *weight, *bias;
} depthwise[2 + BODIES];
static const float *state_table;

EXPORT(define_depthwise) void define_depthwise(i32 number, const float *weight, const float *bias, i32 width)
{
    float *turned = keep(sizeof(float) * (size_t)(TAPS * width)), *copy = keep(sizeof(float) * (size_t)width);
    for (i32 c = 0; c < width; c++) {
        copy[c] = bias[c];
        for (i32 tap = 0; tap < TAPS; tap++) turned[tap * width + c] = weight[c * TAPS + tap];
    }
    depthwise[number].weight = turned, depthwise[number].bias = copy;
}

/* What each state adds, [states][(1 + bodies) * WIDTH]. */
EXPORT(define_states) void define_states(const float *table)
{
    state_table = table;
}

/* Adds to a row of positions what the states of their blocks say in a part of the network. */
static void add_states(float *row, i32 y, i32 part)
{
    const u8 *states = picture.states + y / CELLS * picture.columns;
    for (i32 x = 0; x < picture.columns * CELLS; x++) {
        const float *added = state_table + (states[x / CELLS] * (1 + BODIES) + part) * WIDTH;
        for (i32 c = 0; c < WIDTH; c++) row[x * WIDTH + c] += added[c];
    }
}

static void depthwise_row(i32 number, float *const rows[2 * BORDER + 1], i32 first, i32 count, i32 width, float *out)
{
    const float *weight = depthwise[number].weight;
    for (i32 x = first; x < first + count; x++, out += width)
        for (i32 c = 0; c < width; c += 2 * LANES) {
            vec low = wasm_v128_load(depthwise[number].bias + c), high = wasm_v128_load(depthwise[number].bias + c + LANES);
            const float *w = weight + c;
            for (i32 ty = 0; ty < 2 * BORDER + 1; ty++) {
                const float *from = rows[ty] + x * width + c;
                for (i32 tx = 0; tx < 2 * BORDER + 1; tx++, from += width, w += width) {
                    low = wasm_f32x4_add(low, wasm_f32x4_mul(wasm_v128_load(from), wasm_v128_load(w)));
                    high = wasm_f32x4_add(high, wasm_f32x4_mul(wasm_v128_load(from + LANES), wasm_v128_load(w + LANES)));
                }
            }
            wasm_v128_store(out + c, low);
            wasm_v128_store(out + c + LANES, high);
        }
}

/* h -> h + narrow(relu(widen(depthwise(h)))), in place, [height][width][channels]. `part`: whose states are added
   first, or 0. */
static void residual(float *h, i32 height, i32 width, i32 number, const FloatLayer *widen, i32 part)
{
    const i32 channels = widen->inputs, expanded = widen->outputs, row = width * channels;
    size_t used = top, padded = sizeof(float) * (size_t)((width + 2 * BORDER) * channels);
    float *ring[RING], *inside = take(sizeof(float) * (size_t)(CHUNK * (2 * channels + expanded)));
    float *wide = inside + CHUNK * channels, *narrow = wide + CHUNK * expanded;
    for (i32 i = 0; i < RING; i++) ring[i] = take_zero(padded);
    for (i32 entered = 0; entered < height + BORDER; entered++) {
        float *next = ring[entered & (RING - 1)] + BORDER * channels;
        if (entered < height) {
            __builtin_memcpy(next, h + entered * row, sizeof(float) * (size_t)row);
            if (part) add_states(next, entered, part);
        } else {
            __builtin_memset(next, 0, sizeof(float) * (size_t)row);
        }
        const i32 y = entered - BORDER;
        if (y < 0) continue;
        float *rows[2 * BORDER + 1];
        for (i32 ty = 0; ty < 2 * BORDER + 1; ty++) rows[ty] = ring[(y + ty - BORDER) & (RING - 1)];
        for (i32 x = 0; x < width; x += CHUNK) {
            const i32 count = width - x < CHUNK ? width - x : CHUNK;
            depthwise_row(number, rows, x, count, channels, inside);
            FloatPart from = {inside, channels, channels}, between = {wide, expanded, expanded};
            filter(widen, &from, count, wide, expanded, 1);
            filter(widen + 1, &between, count, narrow, channels, 0);
            const float *before = rows[BORDER] + (BORDER + x) * channels;
            float *out = h + y * row + x * channels;
            for (i32 i = 0; i < count * channels; i++) out[i] = before[i] + narrow[i];
        }
    }
    top = used;
}

/* A row of cells of the linear picture, about zero, with one cell of zeros at both ends. */
static void unshuffle(i32 y, float *out)
{
    const i32 width = picture.columns * CELLS, line = picture.columns * BLOCK;
    __builtin_memset(out, 0, sizeof(float) * (size_t)((width + 2) * CELL_PIXELS));
    if (y < 0 || y >= picture.rows * CELLS) return;
    out += CELL_PIXELS;
    for (i32 i = 0; i < CELL_PIXELS; i++) {
        const float *from = picture.planes[i / (CELL * CELL)] + (y * CELL + i / CELL % CELL) * line + i % CELL;
        for (i32 x = 0; x < width; x++) out[x * CELL_PIXELS + i] = from[x * CELL] - 0.5f;
    }
}

static void enter_network(float *features, i32 height, i32 width)
{
    size_t used = top;
    float *ring[4];
    for (i32 i = 0; i < 4; i++) ring[i] = take(sizeof(float) * (size_t)((width + 2) * CELL_PIXELS));
    for (i32 y = -1; y < 1; y++) unshuffle(y, ring[y & 3]);
    for (i32 y = 0; y < height; y++) {
        float *row = features + y * width * WIDTH;
        unshuffle(y + 1, ring[(y + 1) & 3]);
        FloatPart parts[3];
        for (i32 ty = 0; ty < 3; ty++) parts[ty] = (FloatPart){ring[(y + ty - 1) & 3], CELL_PIXELS, 3 * CELL_PIXELS};
        filter(&float_layers[NET_ENTER], parts, width, row, WIDTH, 0);
        add_states(row, y, 0);
        for (i32 i = 0; i < width * WIDTH; i++) row[i] = row[i] > 0 ? row[i] : 0;
    }
    top = used;
}

/* Adds what the network sees at a sixteenth of the photo's resolution. */
static void add_coarse(float *features, i32 height, i32 width)
{
    const i32 rows = height / CELL, columns = width / CELL, each = WIDTH / COARSE_GROUPS;
    size_t used = top;
    float *coarse = take(sizeof(float) * (size_t)(rows * columns * COARSE_WIDTH));
    float *seen = take(sizeof(float) * (size_t)(rows * columns * WIDTH));
    for (i32 y = 0; y < rows; y++)
        for (i32 group = 0; group < COARSE_GROUPS; group++) {
            FloatPart parts[CELL * CELL];
            for (i32 i = 0; i < CELL * CELL; i++)
                parts[i] = (FloatPart){features + ((y * CELL + i / CELL) * width + i % CELL) * WIDTH + group * each,
                                       CELL * WIDTH, each};
            filter(&float_layers[NET_COARSE + group], parts, columns,
                   coarse + y * columns * COARSE_WIDTH + group * COARSE_WIDTH / COARSE_GROUPS, COARSE_WIDTH, 1);
        }
    for (i32 i = 0; i < 2; i++) residual(coarse, rows, columns, i, &float_layers[NET_COARSE_BODY + 2 * i], 0);
    FloatPart all = {coarse, COARSE_WIDTH, COARSE_WIDTH};
    filter(&float_layers[NET_COARSE_OUT], &all, rows * columns, seen, WIDTH, 0);
    for (i32 y = 0; y < height; y++) {
        const float down = ((float)y + 0.5f) / CELL - 0.5f, fy = down < 0 ? 0 : down;
        const i32 above = (i32)fy, below = above + 1 < rows ? above + 1 : above;
        for (i32 x = 0; x < width; x++) {
            const float right = ((float)x + 0.5f) / CELL - 0.5f, fx = right < 0 ? 0 : right;
            const i32 left = (i32)fx, beside = left + 1 < columns ? left + 1 : left;
            const float *a = seen + (above * columns + left) * WIDTH, *b = seen + (above * columns + beside) * WIDTH;
            const float *c = seen + (below * columns + left) * WIDTH, *d = seen + (below * columns + beside) * WIDTH;
            const float v = fy - (float)above, u = fx - (float)left;
            float *out = features + (y * width + x) * WIDTH;
            for (i32 i = 0; i < WIDTH; i++)
                out[i] += (1 - v) * ((1 - u) * a[i] + u * b[i]) + v * ((1 - u) * c[i] + u * d[i]);
        }
    }
    top = used;
}

/* From the linear picture to the final one. */
EXPORT(refine) void refine(void)
{
    const i32 height = picture.rows * CELLS, width = picture.columns * CELLS, line = picture.columns * BLOCK;
    float *features = take(sizeof(float) * (size_t)(height * width * WIDTH));
    float *added = take(sizeof(float) * (size_t)(width * CELL_PIXELS));
    enter_network(features, height, width);
    add_coarse(features, height, width);
    for (i32 i = 0; i < BODIES; i++) residual(features, height, width, 2 + i, &float_layers[NET_BODY + 2 * i], 1 + i);
    for (i32 y = 0; y < height; y++) {
        FloatPart row = {features + y * width * WIDTH, WIDTH, WIDTH};
        filter(&float_layers[NET_LEAVE], &row, width, added, CELL_PIXELS, 0);
        for (i32 i = 0; i < CELL_PIXELS; i++) {
            float *to = picture.planes[i / (CELL * CELL)] + (y * CELL + i / CELL % CELL) * line + i % CELL;
            for (i32 x = 0; x < width; x++) to[x * CELL] += added[x * CELL_PIXELS + i];
        }
    }
}

/* From a latent to the linear picture: learned lifting steps undone before each level of the wavelet
   (`backbones/multiscale/transform.py`). Planes are [height][width]. */

#define DEPTH 6
#define LIFTED 5
#define RING 8
#define FILTER_BORDER 2
#define MAX_INPUTS 5

/* Numbers of a step's four layers from the first; its filters are of so many outputs. */
typedef struct {
    i32 first, inputs, outputs;
} Step;

enum { FILTERS, OPACITY_IN, OPACITY_BETWEEN, OPACITY_OUT, STEP_LAYERS };

static const Step UPDATE = {0, 3, 1}, PREDICT = {STEP_LAYERS, 1, 3}, COLOUR_UPDATE = {2 * STEP_LAYERS, 3, 1},
                  COLOUR_PREDICT = {3 * STEP_LAYERS, 5, 3};
enum { TRANSFORM_LAYERS = 4 * STEP_LAYERS };

/* Rows that a step works on, one behind the other in rings: its inputs, how loud they are, what is read of that. */
typedef struct {
    const Step *step;
    const float *planes[MAX_INPUTS];
    i32 height, width, level;
    float *raw[RING], *loud[RING], *hidden[RING];
} Rows;

/* The inverse hyperbolic sine of twelve times x. */
static inline vec loudness(vec x)
{
    vec size = wasm_f32x4_mul(wasm_f32x4_abs(x), wasm_f32x4_splat(12));
    vec root = wasm_f32x4_sqrt(wasm_f32x4_add(wasm_f32x4_mul(size, size), wasm_f32x4_splat(1)));
    vec sign = wasm_v128_and(x, wasm_i32x4_splat((i32)0x80000000));
    return wasm_v128_xor(logarithm(wasm_f32x4_add(size, root)), sign);
}

static void enter_row(Rows *r, i32 y)
{
    const i32 channels = r->step->inputs, width = r->width;
    float *raw = r->raw[y & (RING - 1)], *loud = r->loud[y & (RING - 1)];
    size_t raw_size = sizeof(float) * (size_t)((width + 2 * FILTER_BORDER) * channels);
    size_t loud_size = sizeof(float) * (size_t)((width + 2) * (channels + 1));
    __builtin_memset(raw, 0, raw_size);
    __builtin_memset(loud, 0, loud_size);
    if (y < 0 || y >= r->height) return;
    const float depth = (float)r->level / 3 - 1, inverse = 1.0f / (float)(1 << r->level);
    raw += FILTER_BORDER * channels, loud += channels + 1;
    for (i32 x = 0; x < width; x++) loud[x * (channels + 1) + channels] = depth;
    for (i32 c = 0; c < channels; c++) {
        const float *from = r->planes[c] + y * width;
        for (i32 x = 0; x < width; x += LANES) {
            float here[LANES] = {0, 0, 0, 0}, size[LANES];
            i32 some = width - x < LANES ? width - x : LANES;
            for (i32 i = 0; i < some; i++) here[i] = from[x + i];
            vec scaled_down = wasm_f32x4_mul(wasm_v128_load(here), wasm_f32x4_splat(inverse));
            wasm_v128_store(size, loudness(scaled_down));
            for (i32 i = 0; i < some; i++)
                raw[(x + i) * channels + c] = here[i], loud[(x + i) * (channels + 1) + c] = size[i];
        }
    }
}

static void read_row(Rows *r, i32 y)
{
    const FloatLayer *l = &float_layers[r->step->first + OPACITY_IN];
    const i32 channels = r->step->inputs + 1;
    float *out = r->hidden[y & (RING - 1)];
    __builtin_memset(out, 0, sizeof(float) * (size_t)((r->width + 2) * l->outputs));
    if (y < 0 || y >= r->height) return;
    FloatPart parts[3];
    for (i32 part = 0; part < 3; part++)
        parts[part] = (FloatPart){r->loud[(y + part - 1) & (RING - 1)], channels, 3 * channels};
    filter(l, parts, r->width, out + l->outputs, l->outputs, 1);
}

/* Adds what a step says to its outputs. `level` counts from the finest. */
static void add_step(const Step *step, const float *const *planes, i32 height, i32 width, i32 level, float *const *outputs)
{
    const FloatLayer *l = float_layers + step->first;
    const i32 hidden = l[OPACITY_IN].outputs, filters = l[OPACITY_OUT].outputs, all = l[FILTERS].outputs;
    Rows r = {step, {0}, height, width, level, {0}, {0}, {0}};
    size_t used = top, each = sizeof(float) * (size_t)(width + 2 * FILTER_BORDER);
    for (i32 c = 0; c < step->inputs; c++) r.planes[c] = planes[c];
    for (i32 i = 0; i < RING; i++) {
        r.raw[i] = take(each * (size_t)step->inputs);
        r.loud[i] = take(each * (size_t)(step->inputs + 1));
        r.hidden[i] = take(each * (size_t)hidden);
    }
    float *between = take(each * (size_t)hidden), *opacities = take(each * (size_t)filters);
    float *filtered = take(each * (size_t)all);
    for (i32 y = -FILTER_BORDER; y < FILTER_BORDER; y++) enter_row(&r, y);
    for (i32 y = -1; y < 1; y++) read_row(&r, y);
    for (i32 y = 0; y < height; y++) {
        enter_row(&r, y + FILTER_BORDER);
        read_row(&r, y + 1);
        FloatPart parts[2 * FILTER_BORDER + 1];
        for (i32 part = 0; part < 3; part++)
            parts[part] = (FloatPart){r.hidden[(y + part - 1) & (RING - 1)], hidden, 3 * hidden};
        filter(l + OPACITY_BETWEEN, parts, width, between, hidden, 1);
        parts[0] = (FloatPart){between, hidden, hidden};
        filter(l + OPACITY_OUT, parts, width, opacities, filters, 0);
        sigmoids(opacities, width * filters);
        for (i32 part = 0; part <= 2 * FILTER_BORDER; part++)
            parts[part] = (FloatPart){r.raw[(y + part - FILTER_BORDER) & (RING - 1)], step->inputs,
                                      (2 * FILTER_BORDER + 1) * step->inputs};
        filter(l + FILTERS, parts, width, filtered, all, 0);
        for (i32 x = 0; x < width; x++)
            for (i32 o = 0; o < step->outputs; o++) {
                vec sum = wasm_f32x4_splat(0);
                for (i32 f = 0; f < filters; f += LANES)
                    sum = wasm_f32x4_add(sum, wasm_f32x4_mul(wasm_v128_load(opacities + x * filters + f),
                                                             wasm_v128_load(filtered + x * all + o * filters + f)));
                outputs[o][y * width + x] += sum_of(sum);
            }
    }
    top = used;
}

/* Undoes the lifting of a level: low bands and details of luma and, but at the finest level, of both other colours. */
static void unlift(float *const low[3], float *const detail[3], i32 height, i32 width, i32 level)
{
    float *bands[3][3];
    for (i32 colour = 0; colour < 3; colour++)
        for (i32 band = 0; band < 3; band++) bands[colour][band] = detail[colour] + band * height * width;
    add_step(&PREDICT, (const float *const *)low, height, width, level + 1, bands[0]);
    add_step(&UPDATE, (const float *const *)bands[0], height, width, level, low);
    for (i32 colour = 1; level && colour < 3; colour++) {
        const float *beside[MAX_INPUTS] = {low[colour], low[0], bands[0][0], bands[0][1], bands[0][2]};
        add_step(&COLOUR_PREDICT, beside, height, width, level + 1, bands[colour]);
        add_step(&COLOUR_UPDATE, (const float *const *)bands[colour], height, width, level, low + colour);
    }
}

/* The latent of some blocks, scales of [channels][height][width], which it uses up -> opponent colours, 3 planes. */
static void synthesise(float *const latent[SCALES], i32 rows, i32 columns, float *colours[3])
{
    float *low[3], *scratch = take(sizeof(float) * (size_t)(4 * BLOCK_SIDE * columns + 8 * LANES));
    for (i32 colour = 0; colour < 3; colour++) low[colour] = latent[0] + colour * rows * columns;
    for (i32 level = DEPTH - 1; level >= 0; level--) {
        const i32 scale = DEPTH - level, height = rows * SIDES[scale], width = columns * SIDES[scale];
        const i32 plane = height * width;
        float *detail[3], *next[3], *none = level ? 0 : take_zero(sizeof(float) * (size_t)(6 * plane));
        for (i32 colour = 0; colour < 3; colour++) {
            detail[colour] = latent[scale] + 3 * colour * plane;
            if (colour && !level) detail[colour] = none + 3 * (colour - 1) * plane;
            next[colour] = take(4 * sizeof(float) * (size_t)plane);
        }
        if (level < LIFTED) unlift(low, detail, height, width, level);
        for (i32 colour = 0; colour < 3; colour++) {
            merge(low[colour], detail[colour], height, width, next[colour], scratch);
            low[colour] = next[colour];
        }
    }
    for (i32 colour = 0; colour < 3; colour++) colours[colour] = low[colour];
}

/* Convolutions in floats, and the functions that networks are made of. Rows of positions have channels last. */

#define MAX_FLOAT_LAYERS 48
#define LANES 4

typedef struct {
    const float *x;
    i32 step, count;
} FloatPart;

/* Weights [groups of 8 outputs][row][column][input][8]. */
typedef struct {
    i32 outputs, inputs;
    float *weight, *bias;
} FloatLayer;

static FloatLayer float_layers[MAX_FLOAT_LAYERS];

/* Takes a layer from its weights [outputs][inputs][side][side], outputs a multiple of 8, and biases, or null. */
EXPORT(define_float_layer) void define_float_layer(i32 number, const float *weight, const float *bias, i32 outputs,
                                                   i32 inputs, i32 side)
{
    i32 all = inputs * side * side;
    FloatLayer *l = &float_layers[number];
    *l = (FloatLayer){outputs, all, keep(sizeof(float) * (size_t)(outputs * all)), keep(sizeof(float) * (size_t)outputs)};
    for (i32 o = 0; o < outputs; o++) {
        if (bias) l->bias[o] = bias[o];
        for (i32 input = 0; input < inputs; input++)
            for (i32 tap = 0; tap < side * side; tap++)
                l->weight[(o / GROUP * all + tap * inputs + input) * GROUP + o % GROUP] =
                    weight[(o * inputs + input) * side * side + tap];
    }
}

/* A layer at so many positions; outputs lie `step` apart. `relu`: nothing below zero. */
static void filter(const FloatLayer *l, const FloatPart *parts, i32 count, float *out, i32 step, i32 relu)
{
    const vec lowest = wasm_f32x4_splat(relu ? 0 : -__builtin_inff());
    for (i32 first = 0; first < count; first += 4) {
        i32 at[4];
        for (i32 i = 0; i < 4; i++) at[i] = first + i < count ? first + i : count - 1;
        for (i32 group = 0; group < l->outputs / GROUP; group++) {
            const float *w = l->weight + group * l->inputs * GROUP;
            vec low = wasm_v128_load(l->bias + group * GROUP), high = wasm_v128_load(l->bias + group * GROUP + LANES);
            vec a = low, b = high, c = low, d = high, e = low, f = high, g = low, h = high;
            const FloatPart *part = parts;
            for (i32 done = 0; done < l->inputs; done += (part++)->count) {
                const float *x0 = part->x + at[0] * part->step, *x1 = part->x + at[1] * part->step;
                const float *x2 = part->x + at[2] * part->step, *x3 = part->x + at[3] * part->step;
                for (i32 k = 0; k < part->count; k++, w += GROUP) {
                    vec w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + LANES), x;
                    x = wasm_v128_load32_splat(x0 + k);
                    a = wasm_f32x4_add(a, wasm_f32x4_mul(x, w0)), b = wasm_f32x4_add(b, wasm_f32x4_mul(x, w1));
                    x = wasm_v128_load32_splat(x1 + k);
                    c = wasm_f32x4_add(c, wasm_f32x4_mul(x, w0)), d = wasm_f32x4_add(d, wasm_f32x4_mul(x, w1));
                    x = wasm_v128_load32_splat(x2 + k);
                    e = wasm_f32x4_add(e, wasm_f32x4_mul(x, w0)), f = wasm_f32x4_add(f, wasm_f32x4_mul(x, w1));
                    x = wasm_v128_load32_splat(x3 + k);
                    g = wasm_f32x4_add(g, wasm_f32x4_mul(x, w0)), h = wasm_f32x4_add(h, wasm_f32x4_mul(x, w1));
                }
            }
            vec found[8] = {a, b, c, d, e, f, g, h};
            for (i32 i = 0; i < 8; i++)
                wasm_v128_store(out + at[i / 2] * step + group * GROUP + i % 2 * LANES, wasm_f32x4_max(found[i], lowest));
        }
    }
}

/* Natural logarithm of positive numbers (the polynomial of Cephes' logf). */
static inline vec logarithm(vec x)
{
    const vec one = wasm_f32x4_splat(1);
    vec power = wasm_i32x4_sub(wasm_i32x4_shr(x, 23), wasm_i32x4_splat(126));
    vec m = wasm_v128_or(wasm_v128_and(x, wasm_i32x4_splat(0x7fffff)), wasm_i32x4_splat(0x3f000000));
    vec small = wasm_f32x4_lt(m, wasm_f32x4_splat(0.70710678f));
    m = wasm_f32x4_sub(wasm_f32x4_add(m, wasm_v128_and(m, small)), one);
    vec e = wasm_f32x4_sub(wasm_f32x4_convert_i32x4(power), wasm_v128_and(one, small)), square = wasm_f32x4_mul(m, m);
    static const float terms[] = {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                                  -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f};
    vec y = wasm_f32x4_splat(7.0376836292e-2f);
    for (i32 i = 0; i < 8; i++) y = wasm_f32x4_add(wasm_f32x4_mul(y, m), wasm_f32x4_splat(terms[i]));
    y = wasm_f32x4_mul(wasm_f32x4_mul(y, m), square);
    y = wasm_f32x4_sub(y, wasm_f32x4_mul(square, wasm_f32x4_splat(0.5f)));
    return wasm_f32x4_add(wasm_f32x4_add(m, y), wasm_f32x4_mul(e, wasm_f32x4_splat(0.69314718056f)));
}

/* Powers of e (the polynomial of Cephes' expf). */
static inline vec exponential(vec x)
{
    x = wasm_f32x4_min(wasm_f32x4_max(x, wasm_f32x4_splat(-87)), wasm_f32x4_splat(87));
    vec n = wasm_f32x4_nearest(wasm_f32x4_mul(x, wasm_f32x4_splat(1.44269504089f)));
    x = wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_splat(0.693359375f)));
    x = wasm_f32x4_add(x, wasm_f32x4_mul(n, wasm_f32x4_splat(2.12194440e-4f)));
    static const float terms[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    vec y = wasm_f32x4_splat(1.9875691500e-4f);
    for (i32 i = 0; i < 5; i++) y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(terms[i]));
    y = wasm_f32x4_add(wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_mul(y, x), x), x), wasm_f32x4_splat(1));
    vec power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
    return wasm_f32x4_mul(y, power);
}

static void sigmoids(float *values, i32 count)
{
    const vec one = wasm_f32x4_splat(1);
    for (i32 i = 0; i < count; i += LANES) {
        vec below = exponential(wasm_f32x4_neg(wasm_v128_load(values + i)));
        wasm_v128_store(values + i, wasm_f32x4_div(one, wasm_f32x4_add(one, below)));
    }
}

static inline float sum_of(vec v)
{
    v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

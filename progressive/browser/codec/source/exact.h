/* Convolutions in exact integers: activations 0..255 as 16 bits, a pair of channels times a pair of weights at once. */

#define MAX_LAYERS 40
#define GROUP 8

/* A row of positions of one input: where the first is, how far to the next, and pairs of channels each. */
typedef struct {
    const i16 *x;
    i32 step, pairs;
} Part;

/* Positions of a row, rising. */
typedef struct {
    const i32 *at;
    i32 count;
} Places;

/* Those that a mask says, written to a list; without a mask all. */
static Places places_in(const u8 *mask, i32 count, i32 *list)
{
    i32 found = 0;
    for (i32 i = 0; i < count; i++)
        if (!mask || mask[i]) list[found++] = i;
    return (Places){list, found};
}

/* Weights [groups of 8 outputs][pairs of inputs][8][2]; biases, times the inverse, [kinds][outputs, whole groups]. */
typedef struct {
    i32 outputs, groups, pairs, activation;
    i16 *weight;
    float *inverse, *bias;
} Layer;

static Layer layers[MAX_LAYERS];

/* Takes a layer from its stored integers: weight [outputs][inputs][side][side], bias [kinds][outputs], shift [outputs].
   Its inputs come in parts of so many channels; a kernel of side 3 sees, row by row, three positions of each part. */
EXPORT(define_layer) void define_layer(i32 number, const i8 *weight, const i32 *bias, const u8 *shift, i32 outputs,
                                       i32 side, i32 kinds, i32 steps_shift, i32 activation, const i32 *parts, i32 count)
{
    Layer *l = &layers[number];
    i32 inputs = 0, pairs = 0;
    for (i32 p = 0; p < count; p++) inputs += parts[p], pairs += (parts[p] * side + 1) / 2 * side;
    *l = (Layer){outputs, (outputs + GROUP - 1) / GROUP, pairs, activation, 0, 0, 0};
    i32 padded = l->groups * GROUP;
    l->weight = keep(sizeof(i16) * (size_t)(padded * pairs * 2));
    l->inverse = keep(sizeof(float) * (size_t)padded);
    l->bias = keep(sizeof(float) * (size_t)(padded * kinds));
    for (i32 o = 0; o < outputs; o++) {
        l->inverse[o] = 1.0f / (float)(1u << (shift[o] + steps_shift));
        for (i32 k = 0; k < kinds; k++) l->bias[k * padded + o] = (float)bias[k * outputs + o] * l->inverse[o];
        i16 *into = l->weight + o / GROUP * pairs * 2 * GROUP + o % GROUP * 2;
        for (i32 row = 0; row < side; row++) {
            for (i32 p = 0, first = 0; p < count; first += parts[p++]) {
                i32 each = parts[p] * side;
                for (i32 e = 0; e < each; e++) {
                    i32 input = first + e % parts[p], column = e / parts[p];
                    into[e / 2 * 2 * GROUP + e % 2] = weight[((o * inputs + input) * side + row) * side + column];
                }
                into += (each + 1) / 2 * 2 * GROUP;
            }
        }
    }
}

/* Sums of one group of outputs at four positions, [4][2] vectors of four. */
static inline void sums_of(const Layer *l, i32 group, const Part *parts, const i32 at[4], vec sums[8])
{
    const i16 *w = l->weight + group * l->pairs * 2 * GROUP;
    vec a = wasm_i32x4_splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    for (i32 done = 0; done < l->pairs; done += (parts++)->pairs) {
        const i16 *x0 = parts->x + at[0] * parts->step, *x1 = parts->x + at[1] * parts->step;
        const i16 *x2 = parts->x + at[2] * parts->step, *x3 = parts->x + at[3] * parts->step;
        for (i32 k = 0; k < parts->pairs; k++, w += 2 * GROUP) {
            vec w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + GROUP), x;
            x = wasm_v128_load32_splat(x0 + 2 * k);
            a = wasm_i32x4_add(a, wasm_i32x4_dot_i16x8(x, w0));
            b = wasm_i32x4_add(b, wasm_i32x4_dot_i16x8(x, w1));
            x = wasm_v128_load32_splat(x1 + 2 * k);
            c = wasm_i32x4_add(c, wasm_i32x4_dot_i16x8(x, w0));
            d = wasm_i32x4_add(d, wasm_i32x4_dot_i16x8(x, w1));
            x = wasm_v128_load32_splat(x2 + 2 * k);
            e = wasm_i32x4_add(e, wasm_i32x4_dot_i16x8(x, w0));
            f = wasm_i32x4_add(f, wasm_i32x4_dot_i16x8(x, w1));
            x = wasm_v128_load32_splat(x3 + 2 * k);
            g = wasm_i32x4_add(g, wasm_i32x4_dot_i16x8(x, w0));
            h = wasm_i32x4_add(h, wasm_i32x4_dot_i16x8(x, w1));
        }
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d, sums[4] = e, sums[5] = f, sums[6] = g, sums[7] = h;
}

/* Four positions of a row from one of them on; the last one stands in for those missing. */
static inline void four_of(Places places, i32 first, i32 at[4])
{
    for (i32 i = 0; i < 4; i++) at[i] = places.at[first + i < places.count ? first + i : places.count - 1];
}

/* sum * inverse + bias + plus, rounded to even: every step is exact in floats. */
static inline vec scaled(vec sum, const float *inverse, const float *bias, vec plus)
{
    vec y = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), wasm_v128_load(inverse));
    y = wasm_f32x4_add(wasm_f32x4_add(y, wasm_v128_load(bias)), wasm_f32x4_convert_i32x4(plus));
    return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(y));
}

/* A layer at places of a row. Outputs lie `step` apart, which has room for whole groups; `plus` is added before
   rounding, or null. */
static void convolve(const Layer *l, i32 kind, const Part *parts, Places places, i16 *out, i32 step, const i16 *plus)
{
    const float *bias = l->bias + kind * l->groups * GROUP;
    for (i32 first = 0; first < places.count; first += 4) {
        i32 at[4];
        four_of(places, first, at);
        for (i32 group = 0; group < l->groups; group++) {
            vec sums[8], none = wasm_i32x4_splat(0);
            sums_of(l, group, parts, at, sums);
            for (i32 i = 0; i < 4; i++) {
                i32 to = at[i] * step + group * GROUP;
                vec more = plus ? wasm_v128_load(plus + to) : none;
                vec low = scaled(sums[2 * i], l->inverse + group * GROUP, bias + group * GROUP,
                                 wasm_i32x4_extend_low_i16x8(more));
                vec high = scaled(sums[2 * i + 1], l->inverse + group * GROUP + 4, bias + group * GROUP + 4,
                                  wasm_i32x4_extend_high_i16x8(more));
                vec y = wasm_i16x8_narrow_i32x4(low, high);
                if (l->activation) y = wasm_i16x8_min(wasm_i16x8_max(y, none), wasm_i16x8_splat(255));
                wasm_v128_store(out + to, y);
            }
        }
    }
}

/* The bare sums of a layer at some positions [count][outputs], for its known answer. */
EXPORT(layer_sums) void layer_sums(i32 number, const Part *parts, i32 count, i32 *out)
{
    const Layer *l = &layers[number];
    for (i32 i = 0; i < count; i++) {
        i32 at[4] = {i, i, i, i};
        for (i32 group = 0; group < l->groups; group++) {
            vec sums[8];
            sums_of(l, group, parts, at, sums);
            for (i32 o = 0; o < GROUP && group * GROUP + o < l->outputs; o++)
                out[i * l->outputs + group * GROUP + o] = ((const i32 *)sums)[o];
        }
    }
}

/* One level of the CDF 9/7 wavelet undone, in lifting steps with symmetric borders (`progressive.transforms.wavelet`). */

#define LOW_GAIN 1.1496043988602418f

static const float LIFTING[4] = {-1.586134342059924f, -0.052980118572961f, 0.882911075530934f, 0.443506852043971f};

/* into[i] -= factor * (a[i] + b[i]) */
static void lift_row(float *into, const float *a, const float *b, float factor, i32 count)
{
    for (i32 i = 0; i < count; i++) into[i] -= factor * (a[i] + b[i]);
}

static void scale_row(float *row, float factor, i32 count)
{
    for (i32 i = 0; i < count; i++) row[i] *= factor;
}

/* Rows of low and high bands, [height][width] each: afterwards the even and the odd rows of what they are of. */
static void merge_rows(float *low, float *high, i32 height, i32 width)
{
    scale_row(low, 1 / LOW_GAIN, height * width);
    scale_row(high, LOW_GAIN, height * width);
    for (i32 step = 2; step >= 0; step -= 2) {
        for (i32 y = 0; y < height; y++)
            lift_row(low + y * width, high + y * width, high + (y ? y - 1 : 0) * width, LIFTING[step + 1], width);
        for (i32 y = 0; y < height; y++)
            lift_row(high + y * width, low + y * width, low + (y + 1 < height ? y + 1 : y) * width, LIFTING[step], width);
    }
}

/* The same along a row; `low` and `high` have room for one more value before and after. */
static void merge_columns(float *low, float *high, i32 width, float *out)
{
    scale_row(low, 1 / LOW_GAIN, width);
    scale_row(high, LOW_GAIN, width);
    for (i32 step = 2; step >= 0; step -= 2) {
        high[-1] = high[0];
        lift_row(low, high, high - 1, LIFTING[step + 1], width);
        low[width] = low[width - 1];
        lift_row(high, low, low + 1, LIFTING[step], width);
    }
    for (i32 x = 0; x < width; x++) out[2 * x] = low[x], out[2 * x + 1] = high[x];
}

/* A low band and three of detail, [height][width] each, of which nothing is left -> [2 height][2 width]. */
static void merge(float *low, float *detail, i32 height, i32 width, float *out, float *scratch)
{
    i32 plane = height * width;
    float *high_low = detail, *low_high = detail + plane, *high_high = detail + 2 * plane;
    merge_rows(low, low_high, height, width);
    merge_rows(high_low, high_high, height, width);
    float *left = scratch + LANES, *right = left + width + 2 * LANES;
    for (i32 y = 0; y < 2 * height; y++) {
        __builtin_memcpy(left, (y % 2 ? low_high : low) + y / 2 * width, sizeof(float) * (size_t)width);
        __builtin_memcpy(right, (y % 2 ? high_high : high_low) + y / 2 * width, sizeof(float) * (size_t)width);
        merge_columns(left, right, width, out + y * 2 * width);
    }
}

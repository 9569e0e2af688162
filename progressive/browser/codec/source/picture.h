/* A picture of what is known of some blocks: coefficients where they are expected, the transform, the network. */

#define BLOCK 64
#define GREY 128

/* `states` of each block: 0 where nothing is known, then one more for each stage of the base and each level. */
static struct {
    i32 rows, columns;
    u8 *states;
    float *latent[SCALES], *planes[3];
} picture;

/* Starts a picture of this many blocks; the calls that follow go on with it until another begins. */
EXPORT(begin_picture) void begin_picture(i32 rows, i32 columns)
{
    begin();
    picture.rows = rows, picture.columns = columns;
    picture.states = take_zero((size_t)(rows * columns));
    for (i32 scale = 0; scale < SCALES; scale++)
        picture.latent[scale] =
            take_zero(sizeof(float) * (size_t)(CHANNELS[scale] * SIDES[scale] * SIDES[scale] * rows * columns));
}

static inline float value_of(i32 plane, i32 index, i32 point)
{
    static const i32 REACHES[PLANES + 1] = {63, 127, 255, 511, 1534};
    i32 place = index + REACHES[plane];
    return tables.middles[plane][place] + tables.widths[plane][place] * (float)point;
}

/* The coefficients of one of a tile's blocks, which is this one of the picture's. */
EXPORT(show_block) void show_block(const Tile *tile, i32 block, i32 row, i32 column)
{
    const i32 level = tile->levels[block], plane = level / TIERS, begun = level % TIERS;
    picture.states[row * picture.columns + column] = (u8)(tile->stages + level);
    for (i32 scale = 0; scale < tile->stages; scale++) {
        const i32 side = SIDES[scale], width = picture.columns * side, all = picture.rows * side * width;
        i32 at = coefficients(tile->blocks, scale, block);
        float *out = picture.latent[scale] + row * side * width + column * side;
        for (i32 y = 0; y < side; y++)
            for (i32 x = 0; x < side; x++)
                for (i32 c = 0; c < CHANNELS[scale]; c++, at++) {
                    i32 finer = begun && (tile->tiers[at] < begun || tile->tiers[at] == NEVER), index = tile->index[at];
                    if (finer) index = SPLITS[plane] * index + tile->symbols[at];
                    out[c * all + y * width + x] = value_of(plane + finer, index, tile->points[at]);
                }
    }
}

/* Gives blocks of which nothing is known the lowest band of the nearest ones, so that they do not grey those. */
static void spread_brightness(void)
{
    const i32 columns = picture.columns, blocks = picture.rows * columns;
    for (i32 unknown = 0; unknown < blocks; unknown++) {
        i32 nearest = -1, least = 0;
        for (i32 known = 0; known < blocks && !picture.states[unknown]; known++) {
            if (!picture.states[known]) continue;
            i32 down = known / columns - unknown / columns, right = known % columns - unknown % columns;
            i32 distance = down * down + right * right;
            if (nearest < 0 || distance < least) nearest = known, least = distance;
        }
        for (i32 c = 0; nearest >= 0 && c < 3; c++)
            picture.latent[0][c * blocks + unknown] = picture.latent[0][c * blocks + nearest];
    }
}

/* The linear picture, RGB around 0..1; `turn` [3][3] makes RGB about mid-grey of the opponent colours. */
EXPORT(linear_picture) void linear_picture(const float *turn)
{
    float *colours[3];
    spread_brightness();
    synthesise(picture.latent, picture.rows, picture.columns, colours);
    const i32 count = picture.rows * picture.columns * BLOCK * BLOCK;
    for (i32 i = 0; i < count; i++) {
        float a = colours[0][i], b = colours[1][i], c = colours[2][i];
        for (i32 to = 0; to < 3; to++) colours[to][i] = turn[3 * to] * a + turn[3 * to + 1] * b + turn[3 * to + 2] * c + 0.5f;
    }
    for (i32 colour = 0; colour < 3; colour++) picture.planes[colour] = colours[colour];
}

/* Some of the picture's blocks as bytes RGBA, [64 height][64 width][4]. */
EXPORT(pixels) const u8 *pixels(i32 row, i32 column, i32 height, i32 width)
{
    const i32 line = picture.columns * BLOCK;
    u8 *out = take((size_t)(4 * height * width * BLOCK * BLOCK)), *to = out;
    for (i32 y = row * BLOCK; y < (row + height) * BLOCK; y++)
        for (i32 x = column * BLOCK; x < (column + width) * BLOCK; x++, to += 4) {
            i32 known = picture.states[y / BLOCK * picture.columns + x / BLOCK];
            for (i32 c = 0; c < 3; c++) {
                float value = __builtin_rintf(255 * picture.planes[c][y * line + x]);
                to[c] = (u8)(!known ? GREY : value < 0 ? 0 : value > 255 ? 255 : (i32)value);
            }
            to[3] = 255;
        }
    return out;
}

/* The latent of a tile: seven scales, their symbols by blocks; and the tables that the model has for them. */

#define SCALES 7
#define FINEST (SCALES - 1)
#define PLANES 4
#define TIERS 2
#define LEVELS (PLANES * TIERS)
#define BANDS 3
#define CONTEXT 32
#define NEVER 255

static const i32 SIDES[SCALES] = {1, 1, 2, 4, 8, 16, 32};
static const i32 LUMA[SCALES] = {1, 3, 3, 3, 3, 3, 3};
static const i32 CHANNELS[SCALES] = {3, 9, 9, 9, 9, 9, 3};
static const i32 SPLITS[PLANES] = {2, 2, 2, 3};

/* Coefficients of a block before those of each scale, and of all; positions alike. */
static const i32 FIRST_COEFFICIENT[SCALES + 1] = {0, 3, 12, 48, 192, 768, 3072, 6144};
static const i32 FIRST_POSITION[SCALES + 1] = {0, 1, 2, 6, 22, 86, 342, 1366};

/* All arrays are [scales][blocks][positions][channels]. `index`: of the last whole plane; `symbols`: of the plane after
   it, zero where not known; `tiers` of these; `points`: where coefficients are expected in their bins; `contexts`:
   features of the base; `levels` [blocks]. */
typedef struct {
    i32 rows, columns, blocks, stages;
    i16 *index;
    i8 *symbols;
    u8 *tiers;
    i8 *points;
    u8 *contexts, *levels;
} Tile;

typedef struct {
    const u16 *base[2], *planes[PLANES][TIERS];
    const i8 *base_points[2], *plane_points[PLANES][TIERS], *look_points[PLANES];
    const u8 *tiers[PLANES];
    const float *middles[PLANES + 1], *widths[PLANES + 1];
} Tables;

static Tables tables;

/* Where a host writes the addresses of the tables, in the order above. */
EXPORT(tables_at) Tables *tables_at(void)
{
    return &tables;
}

EXPORT(new_tile) Tile *new_tile(i32 rows, i32 columns)
{
    size_t blocks = (size_t)(rows * columns), each = (size_t)FIRST_COEFFICIENT[SCALES] * blocks;
    Tile *tile = keep(sizeof(Tile));
    *tile = (Tile){rows, columns, rows * columns, 0, 0, 0, 0, 0, 0, 0};
    tile->index = keep(2 * each);
    tile->symbols = keep(each);
    tile->tiers = keep(each);
    tile->points = keep(each);
    tile->contexts = keep((size_t)(FIRST_POSITION[SCALES] * CONTEXT) * blocks);
    tile->levels = keep(blocks);
    return tile;
}

/* Of a scale's coefficients in arrays of so many blocks, and of one block's. */
static inline i32 coefficients(i32 blocks, i32 scale, i32 block)
{
    return FIRST_COEFFICIENT[scale] * blocks + (FIRST_COEFFICIENT[scale + 1] - FIRST_COEFFICIENT[scale]) * block;
}

static inline i32 contexts(const Tile *tile, i32 scale, i32 block)
{
    return CONTEXT * (FIRST_POSITION[scale] * tile->blocks + SIDES[scale] * SIDES[scale] * block);
}

/* Of the scales that are known, how many coefficients, and how many bytes of contexts. */
EXPORT(coefficients_known) i32 coefficients_known(const Tile *tile)
{
    return FIRST_COEFFICIENT[tile->stages] * tile->blocks;
}

EXPORT(contexts_known) i32 contexts_known(const Tile *tile)
{
    return FIRST_POSITION[tile->stages] * CONTEXT * tile->blocks;
}

/* How much a block has in the base, by which its segments list it. */
EXPORT(activity) i32 activity(const Tile *tile, i32 block)
{
    i32 sum = 0;
    for (i32 scale = 1; scale < SCALES; scale++) {
        const i16 *index = tile->index + coefficients(tile->blocks, scale, block);
        for (i32 i = 0; i < FIRST_COEFFICIENT[scale + 1] - FIRST_COEFFICIENT[scale]; i++)
            sum += index[i] < 0 ? -index[i] : index[i];
    }
    return sum;
}

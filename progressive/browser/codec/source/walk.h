/* The walk over one scale that base and planes share: features, then passes that each see the ones before. */

#define SEEN 24
#define MAX_PASSES 5
#define HIDDEN 48
#define MAX_SIDE 256
#define MAX_ROW_PARAMETERS 24
#define LUMA_SEEN (2 * BANDS)
#define COLOUR_SEEN (4 * BANDS)

/* Numbers of the walk's first layer and its width. */
typedef struct {
    i32 first, width;
} Walk;

enum { ENTER, BODY_FIRST, BODY_SECOND, LEAVE, UP, SEE, HIDE = SEE + 4, OUT = HIDE + 4, WALK_LAYERS = OUT + 4 };

static const Walk BASE = {0, 32}, DEEPER = {WALK_LAYERS, 48};
enum { LOOK = 2 * WALK_LAYERS };

/* A scale of a tile, or of one block. Symbols are as the networks see them, with a border of one position. */
typedef struct {
    i32 height, width;
    i16 *features, *luma, *colours;
} Field;

/* The passes: luma at one corner of each square, at the opposite one, at the other two; then the opponent colours. */
typedef struct {
    i32 network, corners, top[2], left[2];
} Pass;

enum { COLOUR_PASS = 3 };

static i32 passes_of(i32 scale, i32 height, i32 width, Pass passes[MAX_PASSES])
{
    i32 count = 0, beside = width > 1, below = height > 1;
    passes[count++] = (Pass){0, 1, {0}, {0}};
    if (beside && below) passes[count++] = (Pass){1, 1, {1}, {1}};
    if (height % 2 || width % 2) {
        if (beside) passes[count++] = (Pass){2, 1, {0}, {1}};
        if (below) passes[count++] = (Pass){2, 1, {1}, {0}};
    } else {
        passes[count++] = (Pass){2, 2, {0, 1}, {1, 0}};
    }
    if (scale != FINEST) passes[count++] = (Pass){COLOUR_PASS, 1, {0}, {0}};
    return count;
}

static inline i32 step_of(const Pass *pass)
{
    return pass->network == COLOUR_PASS ? 1 : 2;
}

/* Coefficients a position that a pass codes, the first of them, and how far apart they are in the networks' outputs. */
typedef struct {
    i32 count, first, apart, all;
} Coded;

static Coded coded_of(const Pass *pass, i32 scale)
{
    i32 colours = pass->network == COLOUR_PASS;
    i32 count = colours ? CHANNELS[scale] - LUMA[scale] : LUMA[scale];
    return (Coded){count, colours ? LUMA[scale] : 0, scale ? 1 : BANDS, colours ? 2 * BANDS : BANDS};
}

static Field new_field(const Walk *walk, i32 side_rows, i32 side_columns)
{
    size_t inside = (size_t)(side_rows * side_columns), all = (size_t)((side_rows + 2) * (side_columns + 2));
    Field f = {side_rows, side_columns, take(2 * inside * (size_t)walk->width), 0, 0};
    f.luma = take(2 * all * LUMA_SEEN + 16);
    f.colours = take(2 * all * COLOUR_SEEN + 16);
    return f;
}

static void clear_field(Field *f, i32 height, i32 width)
{
    size_t all = (size_t)((height + 2) * (width + 2));
    f->height = height, f->width = width;
    __builtin_memset(f->luma, 0, 2 * all * LUMA_SEEN);
    __builtin_memset(f->colours, 0, 2 * all * COLOUR_SEEN);
}

static inline i32 inside(const Field *f, i32 y, i32 x)
{
    return (y + 1) * (f->width + 2) + x + 1;
}

static inline void write_seen(i16 *at, i32 count, i32 band, i32 value, i32 size)
{
    at[band] = (i16)(value > 0 ? size : 0);
    at[count + band] = (i16)(value < 0 ? size : 0);
}

/* How large an index looks, 0..255: roughly a logarithm. */
static inline i32 size_of(i32 value)
{
    i32 size = value < 0 ? -value : value;
    if (size > 17) size = 17;
    i32 steep = size * 64, flat = size * 10 + 88, least = steep < flat ? steep : flat;
    return least > 255 ? 255 : least;
}

/* Where a scale of a block is needed, [positions] each: its features, what they are made of, what it hands on. */
typedef struct {
    u8 *features, *between, *entered, *after;
} Needed;

static const Needed EVERYTHING = {0, 0, 0, 0};

static inline const u8 *row_of_mask(const u8 *mask, const Field *f, i32 y)
{
    return mask ? mask + y * f->width : 0;
}

/* From what `enter` made of each position, [height + 2][width + 2][walk's width] with a border of zeros, to features. */
static void make_features(const Walk *walk, const Field *f, Needed needed, const i16 *entered, i16 *between)
{
    i32 list[MAX_SIDE];
    const Layer *first = &layers[walk->first + BODY_FIRST], *second = &layers[walk->first + BODY_SECOND];
    i32 width = walk->width, row = (f->width + 2) * width;
    Part parts[3];
    for (i32 part = 0; part < 3; part++) parts[part] = (Part){0, width, 3 * width / 2};
    for (i32 y = 0; y < f->height; y++) {
        for (i32 part = 0; part < 3; part++) parts[part].x = entered + (y + part) * row;
        Places places = places_in(row_of_mask(needed.between, f, y), f->width, list);
        convolve(first, 0, parts, places, between + inside(f, y, 0) * width, width, 0);
    }
    for (i32 y = 0; y < f->height; y++) {
        for (i32 part = 0; part < 3; part++) parts[part].x = between + (y + part) * row;
        Places places = places_in(row_of_mask(needed.features, f, y), f->width, list);
        convolve(second, 0, parts, places, f->features + y * f->width * width, width,
                 entered + inside(f, y, 0) * width);
    }
}

/* How many positions of a row a pass has. */
static inline i32 count_of(const Field *f, const Pass *pass, i32 left)
{
    return (f->width - left + step_of(pass) - 1) / step_of(pass);
}

/* The parameters of a row of a pass, at some of its positions: [positions][whole groups of outputs]. */
static void row_parameters(const Walk *walk, i32 kind, const Field *f, const Pass *pass, i32 y, i32 left, Places places,
                           i16 *out)
{
    static i16 seen[MAX_SIDE * SEEN], hidden[MAX_SIDE * HIDDEN];
    i32 step = step_of(pass), row = f->width + 2, used = 0;
    Part parts[6];
    for (i32 part = 0; part < 3; part++) {
        i32 at = (y + part) * row + left;
        parts[used++] = (Part){f->luma + at * LUMA_SEEN, step * LUMA_SEEN, 3 * LUMA_SEEN / 2};
        if (pass->network == COLOUR_PASS)
            parts[used++] = (Part){f->colours + at * COLOUR_SEEN, step * COLOUR_SEEN, 3 * COLOUR_SEEN / 2};
    }
    convolve(&layers[walk->first + SEE + pass->network], 0, parts, places, seen, SEEN, 0);
    parts[0] = (Part){f->features + (y * f->width + left) * walk->width, step * walk->width, walk->width / 2};
    parts[1] = (Part){seen, SEEN, SEEN / 2};
    convolve(&layers[walk->first + HIDE + pass->network], kind, parts, places, hidden, HIDDEN, 0);
    parts[0] = (Part){hidden, HIDDEN, HIDDEN / 2};
    const Layer *last = &layers[walk->first + OUT + pass->network];
    convolve(last, kind, parts, places, out, last->groups * GROUP, 0);
}

/* What is known of a row with its symbols, [width][walk's width]. */
static void row_after(const Walk *walk, i32 kind, const Field *f, i32 y, Places places, i16 *out)
{
    Part parts[3] = {
        {f->features + y * f->width * walk->width, walk->width, walk->width / 2},
        {f->luma + inside(f, y, 0) * LUMA_SEEN, LUMA_SEEN, LUMA_SEEN / 2},
        {f->colours + inside(f, y, 0) * COLOUR_SEEN, COLOUR_SEEN, COLOUR_SEEN / 2},
    };
    convolve(&layers[walk->first + LEAVE], kind, parts, places, out, walk->width, 0);
}

/* Hands places of a row on to the two rows of twice its length of the next scale, [2][2 width][walk's width], `apart`
   from one to the other. */
static void row_up(const Walk *walk, const i16 *row, Places places, i16 *out, i32 apart)
{
    static i16 four[MAX_SIDE / 2 * 4 * 48];
    const i32 width = walk->width;
    Part part = {row, width, width / 2};
    convolve(&layers[walk->first + UP], 0, &part, places, four, 4 * width, 0);
    for (i32 i = 0; i < places.count; i++) {
        const i32 x = places.at[i];
        for (i32 corner = 0; corner < 4; corner++)
            for (i32 c = 0; c < width; c++)
                out[corner / 2 * apart + (2 * x + corner % 2) * width + c] = four[x * 4 * width + 4 * c + corner];
    }
}

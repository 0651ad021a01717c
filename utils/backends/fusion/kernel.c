/* Softmax regression of a chunk of rows: logits, softmax, gradient.

   The same text is C and C++ and serves both precisions; it stands below problem.h.
   Row i of x (n, n_in) has the logits z = x[i] W + b, n_out of them.

   Vectors run over the features, so that no lane is spent on padding the classes;
   products are computed in tiles of PANEL classes by TILE rows (or TILE vectors).
   A chunk's logits are kept as (class, CHUNK), one class after the other. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <float.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE 4
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define TILE 2
#else
#define VECTOR_BYTES 16
#define TILE 2
#endif
#define PANEL 5
#define CHUNK 48 /* rows; a multiple of LANES for any vector up to 64 bytes */
#define FEW_ROWS 8 /* so few do not pay for transposing W */
#define BLOCK 256 /* features that are added up before they join a longer sum */
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))
#define LARGEST ((REAL)(sizeof(REAL) == 8 ? DBL_MAX : FLT_MAX))
#define ROUND_UP(size, multiple) (((size) + (multiple) - 1) / (multiple) * (multiple))

typedef REAL vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef BITS bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef REAL loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)),
                                  may_alias)); /* may begin at any element */

#define UNROLLED static inline __attribute__((always_inline))

/* Some rows of x, as REAL; where x is of bytes, the logits write them there first. */
typedef struct {
    REAL *first;
    ptrdiff_t step;  /* from row to row, in elements */
    ptrdiff_t ahead; /* as far ahead the next rows are fetched into the cache */
    const uint8_t *bytes; /* the same rows in x, or NULL */
} rows_of_x;

UNROLLED vec select_where(bits mask, vec yes, vec no)
{
    return (vec)(((bits)yes & mask) | ((bits)no & ~mask));
}

UNROLLED vec splat(REAL value) { return value - (vec){0}; }

/* exp(v) for v <= 0: v = k ln 2 + r with |r| <= ln(2) / 2, 2^k set in the exponent's
   bits, and the Taylor series of exp(r), whose remainder is below half an ulp. */
UNROLLED vec exp_of_negative(vec v)
{
    const int is_double = sizeof(REAL) == 8, terms = is_double ? 13 : 7;
    const int mantissa = is_double ? 52 : 23, bias = is_double ? 1023 : 127;
    const REAL shifter = (REAL)(is_double ? 6755399441055744.0 : 12582912.0);
    const REAL ln2_high = (REAL)(is_double ? 0x1.62e42fefa38p-1 : 0x1.62e4p-1);
    const REAL ln2_low = (REAL)(0.693147180559945309417 - (double)ln2_high);
    const REAL lowest = (REAL)(is_double ? -708.0 : -87.0);
    const bits underflows = v < splat(lowest);
    vec shifted = v * (REAL)1.44269504088896340736 + shifter;
    vec k = shifted - shifter;
    vec r = (v - k * ln2_high) - k * ln2_low;
    vec sum = splat(1);
    for (int term = terms; term > 0; term--)
        sum = sum * r * (REAL)(1.0 / term) + (REAL)1;
    bits exponent = ((bits)shifted - (bits)splat(shifter)) + bias;
    vec power = (vec)(exponent << mantissa);
    return (vec)((bits)(sum * power) & ~underflows);
}

/* The sum of a vector's lanes. */
UNROLLED REAL lane_sum(vec v)
{
    typedef REAL piece __attribute__((vector_size(16)));
    union {
        vec whole;
        piece part[VECTOR_BYTES / 16];
    } u = {v};
    REAL total = 0;
    for (int i = 1; i < VECTOR_BYTES / 16; i++)
        u.part[0] += u.part[i];
    for (size_t lane = 0; lane < 16 / sizeof(REAL); lane++)
        total += u.part[0][lane];
    return total;
}

/* Reads `count` features, fewer than a vector holds; the rest is zero. */
UNROLLED vec load_tail(const REAL *from, ptrdiff_t count)
{
    vec tail = {0};
    for (ptrdiff_t lane = 0; lane < count; lane++)
        tail[lane] = from[lane];
    return tail;
}

/* Numbers in a row of the transposed weights. An odd number of vectors: with a power of
   two the classes would drive each other out of the cache. */
UNROLLED ptrdiff_t row_width(ptrdiff_t n_in)
{
    return ((n_in + LANES - 1) / LANES | 1) * LANES;
}

/* Wt (n_out up to a multiple of PANEL, row_width) = W transposed, a few classes at a
   time so that the lines that are written stay in the cache. */
static void pack_weights(const problem *p, REAL *Wt)
{
    const ptrdiff_t width = row_width(p->n_in);
    for (ptrdiff_t first = 0; first < p->n_out; first += 16) {
        const ptrdiff_t end = first + 16 < p->n_out ? first + 16 : p->n_out;
        for (ptrdiff_t k = 0; k < p->n_in; k++)
            for (ptrdiff_t c = first; c < end; c++)
                Wt[c * width + k] = p->W[k * p->W_row + c * p->W_column];
    }
}

/* Write out the bytes of rows first..end. */
static void write_rows(const problem *p, const rows_of_x x, ptrdiff_t first, ptrdiff_t end)
{
    for (ptrdiff_t r = first; r < end; r++) {
        const uint8_t *bytes = x.bytes + r * p->x_row;
        REAL *pixels = x.first + r * x.step;
        for (ptrdiff_t k = 0; k < p->n_in; k += 64)
            __builtin_prefetch(bytes + k + CHUNK * p->x_row);
        for (ptrdiff_t k = 0; k < p->n_in; k++)
            pixels[k] = (REAL)bytes[k] * (REAL)(1.0 / 256);
    }
}

/* logits (class, CHUNK) of the first `rows` rows of x. */
static void chunk_logits(const problem *p, const rows_of_x x, ptrdiff_t rows,
                         const REAL *Wt, REAL *logits)
{
    const ptrdiff_t width = row_width(p->n_in);
    const ptrdiff_t whole = p->n_in / LANES * LANES, tail = p->n_in - whole;
    for (ptrdiff_t panel = 0; panel < p->n_out; panel += PANEL)
        for (ptrdiff_t first = 0; first < rows; first += TILE) {
            const REAL *row[TILE], *w = Wt + panel * width;
            vec sum[PANEL][TILE] = {{{0}}};
            if (x.bytes && panel == 0)
                write_rows(p, x, first, first + TILE < rows ? first + TILE : rows);
            for (int r = 0; r < TILE; r++) /* past the end the last row is repeated */
                row[r] = x.first + (first + r < rows ? first + r : rows - 1) * x.step;
            for (ptrdiff_t k = 0; k < whole; k += LANES)
                for (int r = 0; r < TILE; r++) {
                    const vec pixels = *(const loose *)(row[r] + k);
                    if (x.ahead && (r & 1) == panel / PANEL)
                        __builtin_prefetch(row[r] + k + x.ahead);
                    for (int c = 0; c < PANEL; c++)
                        sum[c][r] += pixels * *(const vec *)(w + c * width + k);
                }
            if (tail)
                for (int r = 0; r < TILE; r++) {
                    const vec pixels = load_tail(row[r] + whole, tail);
                    for (int c = 0; c < PANEL; c++)
                        sum[c][r] += pixels * *(const vec *)(w + c * width + whole);
                }
            for (int c = 0; c < PANEL && panel + c < p->n_out; c++)
                for (int r = 0; r < TILE; r++)
                    logits[(panel + c) * CHUNK + first + r] =
                        lane_sum(sum[c][r]) + p->b[(panel + c) * p->b_step];
        }
}

/* Turns logits (class, CHUNK) into scale * softmax, and returns the loss of the rows that
   have a label: the sum of log(sum(exp(z - max))) + max - z[label]. `chosen` holds the
   last; the two large numbers meet first, lest they drown the other rows. */
static double chunk_softmax(const problem *p, ptrdiff_t rows, ptrdiff_t labelled,
                            REAL scale, const REAL *chosen, REAL *logits)
{
    double loss = 0;
    for (ptrdiff_t first = 0; first < rows; first += LANES) {
        REAL *column = logits + first;
        vec largest = *(vec *)column, sum = {0};
        for (ptrdiff_t c = 1; c < p->n_out; c++) {
            vec z = *(vec *)(column + c * CHUNK);
            largest = select_where(z > largest, z, largest);
        }
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            vec *z = (vec *)(column + c * CHUNK);
            *z = exp_of_negative(*z - largest);
            sum += *z;
        }
        for (ptrdiff_t lane = 0; lane < LANES && first + lane < labelled; lane++)
            loss += log((double)sum[lane]) +
                    ((double)largest[lane] - (double)chosen[first + lane]);
        sum = scale / sum;
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            *(vec *)(column + c * CHUNK) *= sum;
    }
    return loss;
}

/* gWt (class, feature) += delta (class, CHUNK) x, for `vectors` vectors from feature k;
   tail features alone where tail > 0. Starts from zero: the sum of a chunk is rounded
   at its own magnitude, not at that of the whole minibatch's. */
UNROLLED void gradient_strip(const REAL *x, ptrdiff_t x_row, ptrdiff_t rows,
                             const REAL *delta, REAL *gWt, ptrdiff_t width,
                             const int vectors, ptrdiff_t tail)
{
    vec sum[PANEL][TILE] = {{{0}}};
    for (ptrdiff_t r = 0; r < rows; r++, x += x_row)
        for (int v = 0; v < vectors; v++) {
            const vec pixels =
                tail ? load_tail(x, tail) : (vec)*(const loose *)(x + v * LANES);
            for (int c = 0; c < PANEL; c++)
                sum[c][v] += pixels * delta[c * CHUNK + r];
        }
    for (int c = 0; c < PANEL; c++)
        for (int v = 0; v < vectors; v++)
            *(vec *)(gWt + c * width + v * LANES) += sum[c][v];
}

static void chunk_gradient(const problem *p, const rows_of_x x, ptrdiff_t rows,
                           const REAL *delta, REAL *gWt)
{
    const ptrdiff_t width = row_width(p->n_in), whole = p->n_in / LANES * LANES;
    const ptrdiff_t strip = TILE * LANES;
    for (ptrdiff_t k = 0; k < p->n_in;) {
        const ptrdiff_t step = k + strip <= whole ? strip : LANES;
        for (ptrdiff_t panel = 0; panel < p->n_out; panel += PANEL) {
            const REAL *at = x.first + k, *d = delta + panel * CHUNK;
            REAL *g = gWt + panel * width + k;
            if (step == strip)
                gradient_strip(at, x.step, rows, d, g, width, TILE, 0);
            else if (k < whole)
                gradient_strip(at, x.step, rows, d, g, width, 1, 0);
            else
                gradient_strip(at, x.step, rows, d, g, width, 1, p->n_in - whole);
        }
        k += step;
    }
}

/* Softmax regression in one pass over the images.

   The same text is C and C++ and serves both precisions: before including it, define
     REAL   float or double
     BITS   the signed integer as wide as REAL
   Every row i of x (n, n_in) has the logits z = x[i] W + b, n_out of them.

   Rows are dealt to threads in fixed shares, and each share is worked off in chunks
   that still lie in the cache when the gradient reads them for the second time.
   Vectors run over the features, so that no lane is spent on padding the classes;
   products are computed in tiles of PANEL classes by TILE rows (or TILE vectors). */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <float.h>
#ifdef _OPENMP
#include <omp.h>
#endif

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
#define CHUNK 48
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))
#define THREAD_WORK 250e3 /* multiply-adds that are worth one more thread */
#define LARGEST ((REAL)(sizeof(REAL) == 8 ? DBL_MAX : FLT_MAX))
#define ROUND_UP(size, multiple) (((size) + (multiple) - 1) / (multiple) * (multiple))

typedef REAL vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef BITS bits __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef REAL loose __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)),
                                  may_alias)); /* may begin at any element */

#define UNROLLED static inline __attribute__((always_inline))

typedef struct {
    const REAL *x, *W, *b;
    ptrdiff_t n, n_in, n_out;            /* x is (n, n_in), W (n_in, n_out) */
    ptrdiff_t x_row, W_row, W_column, b_step; /* strides, in elements */
    const char *y;
    ptrdiff_t n_labels, y_step; /* y_step in bytes */
    int y_is_int64;
    int n_threads;
} problem;

UNROLLED vec select_where(bits mask, vec yes, vec no)
{
    return (vec)(((bits)yes & mask) | ((bits)no & ~mask));
}

UNROLLED vec splat(REAL value) { return value - (vec){0}; }

UNROLLED int64_t label_at(const problem *p, ptrdiff_t i)
{
    const char *at = p->y + i * p->y_step;
    return p->y_is_int64 ? *(const int64_t *)at : *(const int32_t *)at;
}

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
    typedef REAL quarter __attribute__((vector_size(VECTOR_BYTES / 4)));
    const union {
        vec whole;
        quarter part[4];
    } u = {v};
    const quarter q = (u.part[0] + u.part[1]) + (u.part[2] + u.part[3]);
    REAL total = 0;
    for (ptrdiff_t lane = 0; lane < LANES / 4; lane++)
        total += q[lane];
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

/* Wt (n_out up to a multiple of PANEL, n_in up to one of LANES) = W transposed. */
static void pack_weights(const problem *p, REAL *Wt)
{
    const ptrdiff_t width = ROUND_UP(p->n_in, LANES);
    for (ptrdiff_t k = 0; k < p->n_in; k++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            Wt[c * width + k] = p->W[k * p->W_row + c * p->W_column];
}

/* logits (class, CHUNK) of `rows` rows that begin at x. */
static void chunk_logits(const problem *p, const REAL *x, ptrdiff_t rows,
                         const REAL *Wt, REAL *logits)
{
    const ptrdiff_t width = ROUND_UP(p->n_in, LANES);
    const ptrdiff_t whole = p->n_in / LANES * LANES, tail = p->n_in - whole;
    for (ptrdiff_t panel = 0; panel < p->n_out; panel += PANEL)
        for (ptrdiff_t first = 0; first < rows; first += TILE) {
            const REAL *row[TILE], *w = Wt + panel * width;
            vec sum[PANEL][TILE] = {{{0}}};
            for (int r = 0; r < TILE; r++) /* past the end the last row is repeated */
                row[r] = x + (first + r < rows ? first + r : rows - 1) * p->x_row;
            for (ptrdiff_t k = 0; k < whole; k += LANES)
                for (int r = 0; r < TILE; r++) {
                    const vec pixels = *(const loose *)(row[r] + k);
                    if ((r & 1) == panel / PANEL)
                        __builtin_prefetch(row[r] + k + CHUNK * p->x_row);
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
                for (int r = 0; r < TILE; r++) {
                    logits[(panel + c) * CHUNK + first + r] =
                        lane_sum(sum[c][r]) + p->b[(panel + c) * p->b_step];
                }
        }
}

/* Turns logits (class, CHUNK) into scale * softmax, and returns the sum over the rows
   of log(sum(exp(z - max))) + max for those that have a label. */
static double chunk_softmax(const problem *p, ptrdiff_t rows, ptrdiff_t labelled,
                            REAL scale, REAL *logits)
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
            loss += log((double)sum[lane]) + (double)largest[lane];
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

static void chunk_gradient(const problem *p, const REAL *x, ptrdiff_t rows,
                           const REAL *delta, REAL *gWt)
{
    const ptrdiff_t width = ROUND_UP(p->n_in, LANES), whole = p->n_in / LANES * LANES;
    const ptrdiff_t strip = TILE * LANES;
    for (ptrdiff_t k = 0; k < p->n_in;) {
        const ptrdiff_t step = k + strip <= whole ? strip : LANES;
        for (ptrdiff_t panel = 0; panel < p->n_out; panel += PANEL) {
            const REAL *d = delta + panel * CHUNK;
            REAL *g = gWt + panel * width + k;
            if (step == strip)
                gradient_strip(x + k, p->x_row, rows, d, g, width, TILE, 0);
            else if (k < whole)
                gradient_strip(x + k, p->x_row, rows, d, g, width, 1, 0);
            else
                gradient_strip(x + k, p->x_row, rows, d, g, width, 1, p->n_in - whole);
        }
        k += step;
    }
}

/* What one thread works with; each share lies on cache lines of its own. */
typedef struct {
    double loss, *gb;
    ptrdiff_t bad_row, mistakes;
    REAL *Wt, *gWt, *logits;
    char apart[64];
} share;

/* The rows of share `t` of n_threads: whole vectors, alike for every call. */
static ptrdiff_t share_begin(ptrdiff_t size, int t, int n_threads)
{
    const ptrdiff_t begin = ROUND_UP(size * t / n_threads, LANES);
    return begin < size ? begin : size;
}

/* Loss and gradients of rows from..to, up to the first label out of range. */
static void share_loss(const problem *p, share *s, ptrdiff_t from, ptrdiff_t to)
{
    const REAL scale = p->n_labels ? 1 / (REAL)p->n_labels : 0;
    REAL *delta = s->logits;
    for (ptrdiff_t first = from; first < to; first += CHUNK) {
        const ptrdiff_t rows = to - first < CHUNK ? to - first : CHUNK;
        const REAL *x = p->x + first * p->x_row;
        ptrdiff_t labelled = p->n_labels - first, label[CHUNK];
        labelled = labelled < 0 ? 0 : labelled < rows ? labelled : rows;
        chunk_logits(p, x, rows, s->Wt, delta);
        for (ptrdiff_t r = 0; r < labelled; r++) {
            const int64_t y = label_at(p, first + r);
            if (y < -p->n_out || y >= p->n_out) {
                s->bad_row = first + r;
                return;
            }
            label[r] = (y < 0 ? y + p->n_out : y) * CHUNK + r;
            s->loss -= (double)delta[label[r]];
        }
        s->loss += chunk_softmax(p, rows, labelled, scale, delta);
        for (ptrdiff_t r = 0; r < labelled; r++)
            delta[label[r]] -= scale;
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            REAL *d = delta + c * CHUNK;
            vec sum = {0};
            for (ptrdiff_t r = labelled; r < rows; r++)
                d[r] *= 0; /* a row with no label counts only where it is NaN */
            for (ptrdiff_t r = rows; r < CHUNK; r++)
                d[r] = 0;
            for (ptrdiff_t r = 0; r < CHUNK; r += LANES)
                sum += *(vec *)(d + r);
            s->gb[c] += (double)lane_sum(sum);
        }
        chunk_gradient(p, x, rows, delta, s->gWt);
    }
}

/* Counts the rows from..to whose most probable class is not their label. Where the
   softmax would be NaN its argmax is 0. */
static void share_mistakes(const problem *p, share *s, ptrdiff_t from,
                           ptrdiff_t to)
{
    for (ptrdiff_t first = from; first < to; first += CHUNK) {
        const ptrdiff_t rows = to - first < CHUNK ? to - first : CHUNK;
        chunk_logits(p, p->x + first * p->x_row, rows, s->Wt, s->logits);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const REAL *z = s->logits + r;
            ptrdiff_t best = 0;
            REAL sum = z[0];
            for (ptrdiff_t c = 1; c < p->n_out; c++) {
                sum += z[c * CHUNK];
                if (z[c * CHUNK] > z[best * CHUNK])
                    best = c;
            }
            if (sum != sum || z[best * CHUNK] > LARGEST)
                best = 0;
            s->mistakes += best != label_at(p, first + r);
        }
    }
}

/* gW (n_in, n_out) and gb (n_out,): the parts of all shares, added in their order. */
static void add_shares(const problem *p, const share *shares, REAL *gW, REAL *gb)
{
    const ptrdiff_t width = ROUND_UP(p->n_in, LANES);
    for (ptrdiff_t c = 0; c < p->n_out; c++) {
        double sum = 0;
        for (int t = 0; t < p->n_threads; t++)
            sum += shares[t].gb[c];
        gb[c] = (REAL)sum;
    }
    for (ptrdiff_t k = 0; k < p->n_in; k += LANES)
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            vec sum = *(const vec *)(shares[0].gWt + c * width + k);
            for (int t = 1; t < p->n_threads; t++)
                sum += *(const vec *)(shares[t].gWt + c * width + k);
            for (ptrdiff_t lane = 0; lane < LANES && k + lane < p->n_in; lane++)
                gW[(k + lane) * p->n_out + c] = sum[lane];
        }
}

static size_t share_bytes(ptrdiff_t n_in, ptrdiff_t n_out)
{
    const size_t padded = ROUND_UP(n_out, PANEL), width = ROUND_UP(n_in, LANES);
    return ROUND_UP(sizeof(share) + padded * (2 * width + CHUNK) * sizeof(REAL) +
                        padded * sizeof(double) + 64, 64);
}

/* Bytes of workspace that a problem of this size needs. */
static size_t workspace_bytes(ptrdiff_t n_in, ptrdiff_t n_out, int n_threads)
{
    return 64 + n_threads * (sizeof(share) + share_bytes(n_in, n_out));
}

/* Lays out a share in its part of the workspace, and clears what is added to. */
static void begin_share(const problem *p, share *s, void *memory)
{
    const ptrdiff_t padded = ROUND_UP(p->n_out, PANEL);
    const ptrdiff_t weights = padded * ROUND_UP(p->n_in, LANES);
    s->loss = 0;
    s->mistakes = 0;
    s->bad_row = -1;
    s->Wt = (REAL *)memory;
    s->logits = s->Wt + weights;
    s->gWt = s->logits + padded * CHUNK;
    s->gb = (double *)(s->gWt + weights);
    memset(memory, 0, (char *)(s->gb + padded) - (char *)memory);
    pack_weights(p, s->Wt);
}

/* Loss, gW (n_in, n_out) and gb (n_out,) of the mean negative log-likelihood, or, where
   gW is NULL, the share of wrong predictions; `result` is a mean over the labels.
   Returns -1, or the row of the first label that is not a class. */
static ptrdiff_t softmax_regression(const problem *p, void *workspace, double *result,
                                    REAL *gW, REAL *gb)
{
    share *shares = (share *)ROUND_UP((uintptr_t)workspace, 64);
    char *memory = (char *)ROUND_UP((uintptr_t)(shares + p->n_threads), 64);
    double total = 0;
    ptrdiff_t bad_row = -1;

#pragma omp parallel for schedule(static) num_threads(p->n_threads)
    for (int t = 0; t < p->n_threads; t++) {
        begin_share(p, shares + t, memory + t * share_bytes(p->n_in, p->n_out));
        (gW ? share_loss : share_mistakes)(p, shares + t,
                                           share_begin(p->n, t, p->n_threads),
                                           share_begin(p->n, t + 1, p->n_threads));
    }
    for (int t = 0; t < p->n_threads; t++) {
        total += gW ? shares[t].loss : (double)shares[t].mistakes;
        if (bad_row < 0)
            bad_row = shares[t].bad_row;
    }
    *result = total / (double)p->n_labels;
    if (gW)
        add_shares(p, shares, gW, gb);
    return bad_row;
}

/* Threads that pay for themselves: a minibatch of little work is done by one. */
static int threads_for(ptrdiff_t n, ptrdiff_t n_in, ptrdiff_t n_out)
{
#ifdef _OPENMP
    const double work = (double)n * (double)n_in * (double)n_out;
    const double useful = 1 + work / THREAD_WORK;
    const int most = omp_get_max_threads();
    return useful < most ? (int)useful : most;
#else
    (void)n, (void)n_in, (void)n_out;
    return 1;
#endif
}

/* Softmax regression of a minibatch by threads; stands below kernel.c.

   The rows are dealt out in fixed shares, whichever thread takes them, and the shares
   are added in their order: for a number of threads the result is always the same. A
   share is worked off in chunks, which still lie in the cache when the gradient reads
   them for the second time. */

#ifdef _OPENMP
#include <omp.h>
#endif

#define THREAD_WORK 250e3 /* multiply-adds that are worth one more thread */

/* The arrays of one thread; each share lies on cache lines of its own. */
typedef struct {
    double loss, *gb;
    ptrdiff_t bad_row, mistakes;
    REAL *Wt, *gWt, *logits, *rows, *pixels;
    char apart[64];
} share;

/* The rows of share `t` of n_threads: whole vectors, alike for every call. */
static ptrdiff_t share_begin(ptrdiff_t size, int t, int n_threads)
{
    const ptrdiff_t begin = ROUND_UP(size * t / n_threads, LANES);
    return begin < size ? begin : size;
}

/* The rows of x from `first` on. */
static rows_of_x chunk_rows(const problem *p, share *s, ptrdiff_t first)
{
    const ptrdiff_t at = first * p->x_row;
    if (p->x_is_bytes)
        return (rows_of_x){s->pixels, row_width(p->n_in), 0, (const uint8_t *)p->x + at};
    return (rows_of_x){(REAL *)p->x + at, p->x_row, CHUNK * p->x_row, NULL};
}

/* Writes values (class, CHUNK) times `factor` to (n, n_out), from row `first` on. */
static void write_out(const problem *p, ptrdiff_t first, ptrdiff_t rows,
                      const REAL *values, REAL factor, REAL *to)
{
    to += first * p->n_out;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            *to++ = values[c * CHUNK + r] * factor;
}

/* The class of the largest of the logits (class, CHUNK), the first of equal ones. */
static void chunk_argmax(const problem *p, const REAL *logits, BITS *best)
{
    for (ptrdiff_t first = 0; first < CHUNK; first += LANES) {
        vec largest = *(const vec *)(logits + first);
        bits found = {0};
        for (ptrdiff_t c = 1; c < p->n_out; c++) {
            const vec z = *(const vec *)(logits + c * CHUNK + first);
            const bits larger = z > largest;
            largest = select_where(larger, z, largest);
            found = (larger & (BITS)c) | (~larger & found);
        }
        memcpy(best + first, &found, sizeof(found));
    }
}

/* Loss and gradients of rows from..to, up to the first label out of range. */
static void share_loss(const problem *p, share *s, ptrdiff_t from, ptrdiff_t to)
{
    const REAL scale = p->n_labels ? 1 / (REAL)p->n_labels : 1;
    REAL *delta = s->logits, chosen[CHUNK];
    BITS best[CHUNK];
    for (ptrdiff_t first = from; first < to; first += CHUNK) {
        const ptrdiff_t rows = to - first < CHUNK ? to - first : CHUNK;
        const rows_of_x x = chunk_rows(p, s, first);
        ptrdiff_t labelled = p->n_labels - first, label[CHUNK];
        labelled = labelled < 0 ? 0 : labelled < rows ? labelled : rows;
        if (p->few)
            few_logits(p, x, s->rows, delta);
        else
            chunk_logits(p, x, rows, s->Wt, delta);
        for (ptrdiff_t r = 0; r < labelled; r++) {
            const int64_t y = label_at(p, first + r);
            if (y < -p->n_out || y >= p->n_out) {
                s->bad_row = first + r;
                return;
            }
            label[r] = (y < 0 ? y + p->n_out : y) * CHUNK + r;
            chosen[r] = delta[label[r]];
        }
        if (p->predicted)
            chunk_argmax(p, delta, best);
        s->loss += chunk_softmax(p, rows, labelled, scale, chosen, delta);
        if (p->softmax)
            write_out(p, first, rows, delta, 1 / scale, p->softmax);
        for (ptrdiff_t r = 0; p->predicted && r < rows; r++)
            p->predicted[first + r] = delta[r] == delta[r] ? best[r] : 0; /* not NaN */
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
        if (p->delta)
            write_out(p, first, rows, delta, 1, p->delta);
        if (p->few)
            few_gradient(p, x, delta, s->rows, s->gWt);
        else
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
        const rows_of_x x = chunk_rows(p, s, first);
        if (p->few)
            few_logits(p, x, s->rows, s->logits);
        else
            chunk_logits(p, x, rows, s->Wt, s->logits);
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
    const ptrdiff_t width = row_width(p->n_in);
    for (ptrdiff_t c = 0; c < p->n_out; c++) {
        double sum = 0;
        for (int t = 0; t < p->n_threads; t++)
            sum += shares[t].gb[c];
        gb[c] = (REAL)sum;
    }
    if (p->few)
        return; /* gW is the only share's own */
    for (ptrdiff_t k = 0; k < p->n_in; k += LANES)
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            vec sum = *(const vec *)(shares[0].gWt + c * width + k);
            for (int t = 1; t < p->n_threads; t++)
                sum += *(const vec *)(shares[t].gWt + c * width + k);
            for (ptrdiff_t lane = 0; lane < LANES && k + lane < p->n_in; lane++)
                gW[(k + lane) * p->n_out + c] = sum[lane];
        }
}

/* Numbers in a share's transposed weights, and in the rows of few_gradient. */
static ptrdiff_t weight_count(const problem *p)
{
    return p->few ? 0 : ROUND_UP(p->n_out, PANEL) * row_width(p->n_in);
}

static ptrdiff_t row_count(const problem *p)
{
    return p->few ? ROUND_UP(FEW_ROWS * p->n_out, LANES) : 0;
}

/* Numbers in the rows that bytes are written out to. */
static ptrdiff_t pixel_count(const problem *p)
{
    const ptrdiff_t rows = p->n < CHUNK ? p->n : CHUNK;
    return p->x_is_bytes ? rows * row_width(p->n_in) : 0;
}

static size_t share_bytes(const problem *p)
{
    const ptrdiff_t padded = ROUND_UP(p->n_out, PANEL);
    const size_t numbers =
        2 * weight_count(p) + row_count(p) + padded * CHUNK + pixel_count(p);
    return ROUND_UP(numbers * sizeof(REAL) + padded * sizeof(double), 64);
}

/* Bytes of workspace that this problem needs. */
static size_t workspace_bytes(const problem *p)
{
    return 128 + p->n_threads * (sizeof(share) + share_bytes(p));
}

/* Lays out a share in its part of the workspace, and clears what is added to. */
static void begin_share(const problem *p, share *s, void *memory, REAL *gW)
{
    const ptrdiff_t padded = ROUND_UP(p->n_out, PANEL);
    s->loss = 0;
    s->mistakes = 0;
    s->bad_row = -1;
    s->Wt = (REAL *)memory;
    s->logits = s->Wt + weight_count(p);
    s->gWt = s->logits + padded * CHUNK;
    s->rows = s->gWt + weight_count(p);
    s->pixels = s->rows + row_count(p);
    s->gb = (double *)(s->pixels + pixel_count(p));
    memset(memory, 0, (char *)s->pixels - (char *)memory);
    memset(s->gb, 0, padded * sizeof(double));
    if (!p->few)
        pack_weights(p, s->Wt);
    else if (gW) {
        s->gWt = gW;
        memset(gW, 0, p->n_in * p->n_out * sizeof(REAL));
    }
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
        begin_share(p, shares + t, memory + t * share_bytes(p), gW);
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

/* Sets how the problem is shared out: a little work is done by one thread. */
static void plan(problem *p)
{
    const double work = (double)p->n * (double)p->n_in * (double)p->n_out;
    const double rows = (double)p->n / CHUNK, useful = 1 + work / THREAD_WORK;
    int most = 1;
#ifdef _OPENMP
    most = omp_get_max_threads();
#endif
    p->few = p->n <= (p->n_out < 32 ? 1 : FEW_ROWS) && p->W_column == 1;
    if (p->few || rows < 1) /* each share transposes W for itself */
        most = 1;
    else if (rows < most)
        most = (int)rows;
    p->n_threads = useful < most ? (int)useful : most;
}

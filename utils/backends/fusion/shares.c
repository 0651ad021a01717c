/* Softmax regression of a minibatch by threads; stands below kernel.c to products.c.

   The rows are dealt out in fixed shares, whichever thread takes them, and the shares
   are added in their order: for a number of threads the result is always the same. A
   share is worked off in chunks, which still lie in the cache when the gradient reads
   them for the second time. */

#ifdef _OPENMP
#include <omp.h>
#include <unistd.h>

/* The process that has the threads: a child of fork() inherits none of them. */
static pid_t owner;
__attribute__((constructor)) static void remember_process(void) { owner = getpid(); }
#endif

#define THREAD_WORK 250e3 /* multiply-adds that are worth one more thread */

/* The arrays of one thread; each share lies on cache lines of its own. */
typedef struct {
    double loss, *gb;
    ptrdiff_t bad_row, mistakes;
    int finite; /* the weights are */
    REAL *packed, *gradient, *logits, *few;
    uint64_t *marks;
    char apart[64];
} share;

/* The beginning of share `t` of n_threads, alike for every call. */
static ptrdiff_t share_begin(const problem *p, ptrdiff_t size, int t)
{
    return size * t / p->n_threads;
}

/* Sets the share's logits (class, CHUNK) of some rows; returns whether it marked them. */
static int chunk_logits(const problem *p, share *s, ptrdiff_t first, ptrdiff_t rows)
{
    const char *x = row_at(p, first);
    if (p->few)
        few_logits(p, x, rows, s->few, s->logits);
    else if (p->x_is_bytes && mark_rows(p, x, rows, 1, s->finite, s->marks)) {
        sparse_logits(p, x, rows, 1, s->marks, s->packed, s->logits);
        return 1;
    } else if (!p->x_is_bytes && mark_rows(p, x, rows, 0, s->finite, s->marks)) {
        sparse_logits(p, x, rows, 0, s->marks, s->packed, s->logits);
        return 1;
    } else
        dense_logits(p, x, rows, s->packed, s->logits);
    return 0;
}

/* Adds to the share's gradient, from its logits that have become residuals. */
static void chunk_gradient(const problem *p, share *s, ptrdiff_t first, ptrdiff_t rows,
                           int marked, int finite)
{
    const char *x = row_at(p, first);
    for (ptrdiff_t block = 0; marked && block < block_count(p); block += MARK)
        transpose_marks(s->marks + block, rows, finite);
    if (p->few)
        few_gradient(p, x, rows, s->logits, s->few, s->gradient);
    else if (marked && p->x_is_bytes)
        sparse_gradient(p, x, 1, s->marks, s->logits, s->gradient);
    else if (marked)
        sparse_gradient(p, x, 0, s->marks, s->logits, s->gradient);
    else
        dense_gradient(p, x, rows, s->logits, s->gradient);
}

/* Loss and gradients of rows from..to, up to the first label out of range. */
static void share_loss(const problem *p, share *s, ptrdiff_t from, ptrdiff_t to)
{
    const REAL scale = p->n_labels ? 1 / (REAL)p->n_labels : 1;
    REAL *delta = s->logits, chosen[CHUNK];
    for (ptrdiff_t first = from; first < to; first += CHUNK) {
        const ptrdiff_t rows = to - first < CHUNK ? to - first : CHUNK;
        ptrdiff_t labelled = p->n_labels - first, label[CHUNK];
        int finite = 1;
        labelled = labelled < 0 ? 0 : labelled < rows ? labelled : rows;
        const int marked = chunk_logits(p, s, first, rows);
        for (ptrdiff_t r = 0; r < labelled; r++) {
            const int64_t y = label_at(p, first + r);
            if (y < -p->n_out || y >= p->n_out) {
                s->bad_row = first + r;
                return;
            }
            label[r] = (y < 0 ? y + p->n_out : y) * CHUNK + r;
            chosen[r] = delta[label[r]];
        }
        for (ptrdiff_t r = 0; p->predicted && r < rows; r += LANES) {
            const bits best = largest_class(p, delta + r);
            for (ptrdiff_t lane = 0; lane < LANES && r + lane < rows; lane++)
                p->predicted[first + r + lane] = best[lane];
        }
        s->loss += chunk_softmax(p, rows, labelled, scale, chosen, delta);
        if (p->softmax)
            write_out(p, first, rows, delta, 1 / scale, p->softmax);
        for (ptrdiff_t r = 0; r < labelled; r++)
            delta[label[r]] -= scale;
        for (ptrdiff_t c = 0; c < p->n_out; c++) {
            REAL *d = delta + c * CHUNK, sum;
            vec sums = {0};
            for (ptrdiff_t r = labelled; r < rows; r++)
                d[r] *= 0; /* a row with no label counts only where it is NaN */
            for (ptrdiff_t r = rows; r < CHUNK; r++)
                d[r] = 0;
            for (ptrdiff_t r = 0; r < CHUNK; r += LANES)
                sums += *(vec *)(d + r);
            sum = lane_sum(sums);
            s->gb[c] += (double)sum;
            finite = finite && sum == sum;
        }
        if (p->delta)
            write_out(p, first, rows, delta, 1, p->delta);
        chunk_gradient(p, s, first, rows, marked, finite);
    }
}

/* Counts the rows from..to whose most probable class is not their label. */
static void share_mistakes(const problem *p, share *s, ptrdiff_t from, ptrdiff_t to)
{
    for (ptrdiff_t first = from; first < to; first += CHUNK) {
        const ptrdiff_t rows = to - first < CHUNK ? to - first : CHUNK;
        chunk_logits(p, s, first, rows);
        for (ptrdiff_t r = 0; r < rows; r += LANES) {
            const bits best = largest_class(p, s->logits + r);
            for (ptrdiff_t lane = 0; lane < LANES && r + lane < rows; lane++)
                s->mistakes += best[lane] != label_at(p, first + r + lane);
        }
    }
}

/* Classes up to a whole panel. */
static ptrdiff_t padded_classes(const problem *p) { return ROUND_UP(p->n_out, PANEL); }

/* Numbers in the packed weights, and in a packed gradient. */
static ptrdiff_t weight_count(const problem *p)
{
    return p->few ? 0 : ROUND_UP(padded_classes(p) / PANEL * panel_size(p), 16);
}

/* Rows that a share looks at together. */
static ptrdiff_t most_rows(const problem *p) { return p->n < CHUNK ? p->n : CHUNK; }

/* Numbers in the rows of few_gradient. */
static ptrdiff_t few_count(const problem *p)
{
    return p->few ? ROUND_UP((most_rows(p) + 1) * p->n_out, LANES) : 0;
}

static size_t share_bytes(const problem *p)
{
    const size_t numbers = 2 * weight_count(p) + padded_classes(p) * CHUNK + few_count(p);
    const size_t doubles = ROUND_UP(p->n_in, MARK * BLOCK) / BLOCK + padded_classes(p);
    return ROUND_UP(numbers * sizeof(REAL) + doubles * sizeof(double), 64);
}

/* Bytes of workspace that this problem needs. */
static size_t workspace_bytes(const problem *p)
{
    return 128 + p->n_threads * (sizeof(share) + share_bytes(p));
}

/* Lays out a share in its part of the workspace, and clears what is added to. */
static void begin_share(const problem *p, share *s, void *memory, REAL *gW)
{
    s->loss = 0;
    s->mistakes = 0;
    s->bad_row = -1;
    s->gradient = (REAL *)memory;
    s->logits = s->gradient + weight_count(p);
    s->packed = s->logits + padded_classes(p) * CHUNK;
    s->few = s->packed + weight_count(p);
    s->marks = (uint64_t *)(s->few + few_count(p));
    s->gb = (double *)(s->marks + ROUND_UP(p->n_in, MARK * BLOCK) / BLOCK);
    memset(memory, 0, (char *)s->packed - (char *)memory);
    memset(s->gb, 0, padded_classes(p) * sizeof(double));
    if (!p->few)
        s->finite = pack_weights(p, s->packed);
    else if (gW) { /* the only share adds to it without detour */
        s->gradient = gW;
        memset(gW, 0, p->n_in * p->n_out * sizeof(REAL));
    }
}

/* Loss, gW (n_in, n_out) and gb (n_out,) of the mean negative log-likelihood, or, where
   gW is NULL, the share of wrong predictions; `result` is a mean over the labels.
   Returns -1, or the row of the first label that is not a class. */
static ptrdiff_t softmax_regression(const problem *p, void *workspace, double *result,
                                    REAL *gW, REAL *gb)
{
    const ptrdiff_t n_blocks = p->few || !gW ? 0 : block_count(p);
    share *shares = (share *)ROUND_UP((uintptr_t)workspace, 64);
    char *memory = (char *)ROUND_UP((uintptr_t)(shares + p->n_threads), 64);
    double total = 0;
    ptrdiff_t bad_row = -1;

#pragma omp parallel if (!p->alone) num_threads(p->n_threads)
    {
#pragma omp for schedule(static)
        for (int t = 0; t < p->n_threads; t++) {
            begin_share(p, shares + t, memory + t * share_bytes(p), gW);
            (gW ? share_loss : share_mistakes)(p, shares + t, share_begin(p, p->n, t),
                                               share_begin(p, p->n, t + 1));
        }
#pragma omp for schedule(static)
        for (int t = 0; t < p->n_threads; t++)
            unpack_gradients(p, share_begin(p, n_blocks, t),
                             share_begin(p, n_blocks, t + 1), shares->gradient,
                             share_bytes(p) / sizeof(REAL), gW);
    }
    for (int t = 0; t < p->n_threads; t++) {
        total += gW ? shares[t].loss : (double)shares[t].mistakes;
        if (bad_row < 0)
            bad_row = shares[t].bad_row;
    }
    *result = total / (double)p->n_labels;
    for (ptrdiff_t c = 0; gW && c < p->n_out; c++) {
        double sum = 0;
        for (int t = 0; t < p->n_threads; t++)
            sum += shares[t].gb[c];
        gb[c] = (REAL)sum;
    }
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
    p->alone = getpid() != owner;
#endif
    p->few = p->n_in < BLOCK ||
             (p->n <= (p->n_out < 32 ? 1 : FEW_ROWS) && p->W_column == 1);
    if (p->few || rows < 1) /* each share packs W for itself */
        most = 1;
    else if (rows < most)
        most = (int)rows;
    p->n_threads = useful < most ? (int)useful : most;
}

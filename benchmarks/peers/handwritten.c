/* Softmax regression on MNIST by minibatch SGD, by hand in C: the upper yardstick.
 *
 * The tutorial's training loop with its validation and its patience rule, for ten
 * classes, float32. Each thread takes the rows of its share a few at a time: logits,
 * softmax, gradient, so that the second reading of the images comes from cache. The
 * whole epoch is one parallel region; W lies as (N_OUT, n_in), features along the
 * vector lanes.
 *
 *   cc -O3 -march=native -ffast-math -fopenmp handwritten.c -o handwritten -lm
 *   python lesson.py --dataset mnist.pkl.gz --output mnist.raw
 *   ./handwritten mnist.raw         counts the time of the whole loop
 *   ./handwritten mnist.raw 1000    at most so many epochs; counts the training alone
 */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __AVX512F__
enum { LANES = 16, MANY = 2 }; /* floats of a register; how many of them in flight */
#else
enum { LANES = 8, MANY = 1 }; /* there are half as many registers, too */
#endif

enum {
    N_OUT = 10,
    PADDED = 16, /* N_OUT, to whole vectors */
    BATCH_SIZE = 600,
    N_EPOCHS = 1000,
    MAX_THREADS = 64,
    ROWS = 20, /* images in flight, 63 kB: with the gradient they stay in L2 */
    AHEAD = 2, /* images; without this prefetch the run took 1.7 times as long */
};

static const float learning_rate = 0.13f;
static const double improvement_threshold = 0.995;

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

typedef struct {
    int n;      /* examples, whole minibatches only */
    float *x;   /* (n, n_in) */
    int32_t *y; /* (n,) */
} split;

typedef struct {
    int n_in;  /* a multiple of LANES */
    float *W;  /* (N_OUT, n_in) */
    float b[N_OUT];
} model;

typedef struct {
    float *g_W; /* (N_OUT, n_in), one a thread */
    float g_b[N_OUT];
    char apart[128]; /* no cache line belongs to two threads */
} gradient;

static void *allocate(size_t size)
{
    const size_t huge_page = (size_t)1 << 21;
    size = (size + huge_page - 1) / huge_page * huge_page;
    void *memory = aligned_alloc(huge_page, size);
    if (!memory) {
        fprintf(stderr, "handwritten: no memory for %zu bytes\n", size);
        exit(1);
    }
#ifdef MADV_HUGEPAGE
    madvise(memory, size, MADV_HUGEPAGE);
#endif
    return memset(memory, 0, size);
}

static float sum(vec v)
{
    float total = 0;
    for (int lane = 0; lane < LANES; lane++)
        total += v[lane];
    return total;
}

/* The logits of `n_rows` images, a compile-time constant after inlining. */
static inline __attribute__((always_inline)) void
rows_logits(const model *m, const float *x, int n_rows, float (*z)[PADDED])
{
    vec total[MANY][N_OUT] = {0};
    for (int k = 0; k < m->n_in; k += LANES) {
        for (int r = 0; r < n_rows; r++)
            __builtin_prefetch(x + (r + AHEAD) * m->n_in + k);
        for (int c = 0; c < N_OUT; c++) {
            vec w = *(const vec *)(m->W + c * m->n_in + k);
            for (int r = 0; r < n_rows; r++)
                total[r][c] += w * *(const vec *)(x + r * m->n_in + k);
        }
    }
    for (int r = 0; r < n_rows; r++) {
        for (int c = 0; c < N_OUT; c++)
            z[r][c] = sum(total[r][c]) + m->b[c];
        for (int c = N_OUT; c < PADDED; c++)
            z[r][c] = -INFINITY;
    }
}

/* The logits of `n_rows` images in z; its lanes past N_OUT hold minus infinity. */
static void logits(const model *m, const float *x, int n_rows, float (*z)[PADDED])
{
    int r = 0;
    for (; r + MANY <= n_rows; r += MANY)
        rows_logits(m, x + r * m->n_in, MANY, z + r);
    for (; r < n_rows; r++)
        rows_logits(m, x + r * m->n_in, 1, z + r);
}

/* Turn logits into d(cost)/d(logits) = softmax - one_hot(y); return the cost. */
static float softmax_gradient(float *z, int32_t y)
{
    float largest = -INFINITY, total = 0, right = z[y];
    for (int c = 0; c < PADDED; c++)
        largest = z[c] > largest ? z[c] : largest;
    /* Lanes past N_OUT give exp(-inf) = 0; -ffast-math wants a finite number. */
#pragma omp simd
    for (int c = 0; c < PADDED; c++)
        z[c] = expf(fmaxf(z[c] - largest, -80.0f));
    for (int c = 0; c < N_OUT; c++)
        total += z[c];
    for (int c = 0; c < PADDED; c++)
        z[c] /= total;
    z[y] -= 1;
    return logf(total) + largest - right;
}

/* Add the outer products of d(cost)/d(logits) and images to columns k of g_W. */
static inline __attribute__((always_inline)) void
gradient_columns(float *g_W, int n_in, const float *x, int n_rows,
                 float (*z)[PADDED], int k, int n_vecs)
{
    vec total[N_OUT][MANY];
    for (int c = 0; c < N_OUT; c++)
        for (int v = 0; v < n_vecs; v++)
            total[c][v] = *(vec *)(g_W + c * n_in + k + v * LANES);
    for (int r = 0; r < n_rows; r++)
        for (int v = 0; v < n_vecs; v++) {
            vec image = *(const vec *)(x + r * n_in + k + v * LANES);
            for (int c = 0; c < N_OUT; c++)
                total[c][v] += image * z[r][c];
        }
    for (int c = 0; c < N_OUT; c++)
        for (int v = 0; v < n_vecs; v++)
            *(vec *)(g_W + c * n_in + k + v * LANES) = total[c][v];
}

/* The cost of `n_rows` examples; their gradients are put in `g`. */
static double accumulate(const model *m, const float *x, const int32_t *y, int n_rows,
                         gradient *g)
{
    float z[ROWS][PADDED];
    double cost = 0;
    memset(g->g_W, 0, sizeof(float) * N_OUT * m->n_in);
    memset(g->g_b, 0, sizeof g->g_b);
    for (int start = 0; start < n_rows; start += ROWS) {
        int n = n_rows - start < ROWS ? n_rows - start : ROWS;
        const float *chunk = x + (size_t)start * m->n_in;
        logits(m, chunk, n, z);
        for (int r = 0; r < n; r++) {
            cost += softmax_gradient(z[r], y[start + r]);
            for (int c = 0; c < N_OUT; c++)
                g->g_b[c] += z[r][c];
        }
        int k = 0;
        for (; k + MANY * LANES <= m->n_in; k += MANY * LANES)
            gradient_columns(g->g_W, m->n_in, chunk, n, z, k, MANY);
        for (; k < m->n_in; k += LANES)
            gradient_columns(g->g_W, m->n_in, chunk, n, z, k, 1);
    }
    return cost;
}

/* Train on the first `n_minibatches`; return the mean cost over their examples. */
static double train(model *m, const split *s, int n_minibatches, gradient *g)
{
    const float scale = learning_rate / BATCH_SIZE;
    double cost = 0;
#pragma omp parallel reduction(+ : cost)
    {
        int thread = omp_get_thread_num(), n_threads = omp_get_num_threads();
        int first = BATCH_SIZE * thread / n_threads;
        int n_rows = BATCH_SIZE * (thread + 1) / n_threads - first;
        for (int i = 0; i < n_minibatches; i++) {
            size_t row = (size_t)i * BATCH_SIZE + first;
            cost += accumulate(m, s->x + row * m->n_in, s->y + row, n_rows, g + thread);
#pragma omp barrier
#pragma omp for schedule(static) nowait
            for (int j = 0; j < N_OUT * m->n_in; j++)
                for (int t = 0; t < n_threads; t++)
                    m->W[j] -= scale * g[t].g_W[j];
#pragma omp single
            for (int t = 0; t < n_threads; t++)
                for (int c = 0; c < N_OUT; c++)
                    m->b[c] -= scale * g[t].g_b[c];
        }
    }
    return cost / ((double)n_minibatches * BATCH_SIZE);
}

/* The fraction of labels that differ from the largest logit. */
static double error(const model *m, const split *s)
{
    int n_wrong = 0;
#pragma omp parallel for reduction(+ : n_wrong) schedule(static)
    for (int start = 0; start < s->n; start += 2) {
        float z[2][PADDED];
        logits(m, s->x + (size_t)start * m->n_in, 2, z);
        for (int r = 0; r < 2; r++) {
            int largest = 0;
            for (int c = 1; c < N_OUT; c++)
                largest = z[r][c] > z[r][largest] ? c : largest;
            n_wrong += largest != s->y[start + r];
        }
    }
    return (double)n_wrong / s->n;
}

static void read_or_exit(void *to, size_t size, FILE *file)
{
    if (fread(to, 1, size, file) != size) {
        fprintf(stderr, "handwritten: the data file ends too early; write it anew\n");
        exit(1);
    }
}

/* Read what lesson.py --output wrote: n_in, three lengths, then x and y of each. */
static void read_data(const char *path, int *n_in, split *splits)
{
    int32_t header[4];
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: handwritten FILE [EPOCHS]; lesson.py writes it\n");
        exit(1);
    }
    read_or_exit(header, sizeof header, file);
    *n_in = header[0];
    for (int i = 0; i < 3; i++) {
        split *s = splits + i;
        s->n = header[i + 1];
        s->x = allocate(sizeof(float) * s->n * *n_in);
        s->y = allocate(sizeof(int32_t) * s->n);
        read_or_exit(s->x, sizeof(float) * s->n * *n_in, file);
        read_or_exit(s->y, sizeof(int32_t) * s->n, file);
    }
    fclose(file);
}

int main(int n_arguments, char **arguments)
{
    model m = {0};
    split splits[3];
    gradient g[MAX_THREADS];
    read_data(n_arguments > 1 ? arguments[1] : NULL, &m.n_in, splits);
    if (omp_get_max_threads() > MAX_THREADS)
        omp_set_num_threads(MAX_THREADS);
    int n_threads = omp_get_max_threads(), n_batches = splits[0].n / BATCH_SIZE;
    fprintf(stderr, "setup: compiler %s, %d threads\n", __VERSION__, n_threads);
    m.W = allocate(sizeof(float) * N_OUT * m.n_in);
    for (int t = 0; t < n_threads; t++)
        g[t].g_W = allocate(sizeof(float) * N_OUT * m.n_in);

    long patience = 5000, n_seen = 0;
    double best = INFINITY, test = NAN, start = omp_get_wtime(), training = 0;
    int epoch = 0, n_epochs = n_arguments > 2 ? atoi(arguments[2]) : N_EPOCHS;
    while (epoch < n_epochs && patience > n_seen - 1) {
        epoch++;
        /* The minibatch of number `patience` is the last one, counted from 0. */
        long left = patience + 1 - n_seen;
        int n = left < n_batches ? (int)left : n_batches;
        double begin = omp_get_wtime();
        train(&m, splits, n, g);
        training += omp_get_wtime() - begin;
        n_seen += n;
        if (n < n_batches)
            break;
        double this = error(&m, splits + 1);
        printf("epoch %d, minibatch %d/%d, validation error %f %%\n", epoch, n, n,
               this * 100);
        if (this < best) {
            if (this < best * improvement_threshold && (n_seen - 1) * 2 > patience)
                patience = (n_seen - 1) * 2;
            best = this;
            test = error(&m, splits + 2);
            printf("     epoch %d, minibatch %d/%d, test error of best model %f %%\n",
                   epoch, n, n, test * 100);
        }
    }
    double seconds = n_arguments > 2 ? training : omp_get_wtime() - start;
    printf("Optimization complete with best validation score of %f %%,"
           "with test performance %f %%\n",
           best * 100, test * 100);
    printf("The code run for %d epochs, with %f epochs/sec\n", epoch, epoch / seconds);
    return 0;
}

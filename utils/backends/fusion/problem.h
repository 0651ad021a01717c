/* What the kernel and its callers share. To be defined before:
     REAL   float or double
     BITS   the signed integer as wide as REAL */

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *x;              /* of REAL, or of bytes that stand for byte / 256 */
    const REAL *W, *b;
    ptrdiff_t n, n_in, n_out;            /* x is (n, n_in), W (n_in, n_out) */
    ptrdiff_t x_row, W_row, W_column, b_step; /* strides, in elements */
    const char *y;
    ptrdiff_t n_labels, y_step; /* y_step in bytes */
    int x_is_bytes, y_is_int64;
    int n_threads, few;         /* few: products are taken straight from W */
    int alone;                  /* no threads may be asked to help */
    REAL *softmax, *delta;      /* results (n, n_out), or NULL */
    int64_t *predicted;         /* and (n,) */
} problem;

static inline int64_t label_at(const problem *p, ptrdiff_t i)
{
    const char *at = p->y + i * p->y_step;
    return p->y_is_int64 ? *(const int64_t *)at : *(const int32_t *)at;
}

/* The functions of a kernel's shared library; shares.c says what they do. */
typedef struct {
    void (*plan)(problem *);
    size_t (*workspace_bytes)(const problem *);
    ptrdiff_t (*softmax_regression)(const problem *, void *workspace, double *result,
                                    REAL *gW, REAL *gb);
} kernel;

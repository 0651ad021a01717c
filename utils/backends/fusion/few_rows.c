/* The same straight from W, for rows that are too few to pay for packing it, or too short
   for a block; stands below kernel.c. */

#define FEW_ROWS 8
#define STRETCH 256 /* features that are added up before they join a longer sum */

UNROLLED REAL feature(const char *row, ptrdiff_t k, int is_bytes)
{
    return is_bytes ? (REAL)((const uint8_t *)row)[k] * (REAL)(1.0 / 256)
                    : ((const REAL *)row)[k];
}

/* logits (class, CHUNK) of some rows of x; `sums` holds n_out. */
static void few_logits(const problem *p, const char *x, ptrdiff_t rows,
                       REAL *__restrict__ sums, REAL *logits)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            logits[c * CHUNK + r] = p->b[c * p->b_step];
    for (ptrdiff_t k = 0; k < p->n_in; k += STRETCH)
        for (ptrdiff_t r = 0; r < rows; r++) {
            const char *row = x + r * row_bytes(p);
            const ptrdiff_t end = k + STRETCH < p->n_in ? k + STRETCH : p->n_in;
            memset(sums, 0, p->n_out * sizeof(REAL));
            for (ptrdiff_t i = k; i < end; i++) {
                const REAL *w = p->W + i * p->W_row;
                const REAL value = feature(row, i, p->x_is_bytes);
                for (ptrdiff_t c = 0; c < p->n_out; c++)
                    sums[c] += value * w[c * p->W_column];
            }
            for (ptrdiff_t c = 0; c < p->n_out; c++)
                logits[c * CHUNK + r] += sums[c];
        }
}

/* gW (n_in, n_out) += x.T delta; `turned` holds (rows, n_out). */
static void few_gradient(const problem *p, const char *x, ptrdiff_t rows,
                         const REAL *delta, REAL *__restrict__ turned,
                         REAL *__restrict__ gW)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            turned[r * p->n_out + c] = delta[c * CHUNK + r];
    for (ptrdiff_t k = 0; k < p->n_in; k++, gW += p->n_out)
        for (ptrdiff_t r = 0; r < rows; r++) {
            const REAL value = feature(x + r * row_bytes(p), k, p->x_is_bytes);
            const REAL *d = turned + r * p->n_out;
            for (ptrdiff_t c = 0; c < p->n_out; c++)
                gW[c] += value * d[c];
        }
}

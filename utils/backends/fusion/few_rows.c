/* The same for a minibatch of few rows, which do not pay for transposing W; stands below
   kernel.c. */

/* chunk_logits from W itself; `sums` holds n_out. */
static void few_logits(const problem *p, const rows_of_x x, REAL *__restrict__ sums,
                       REAL *logits)
{
    if (x.bytes)
        write_rows(p, x, 0, p->n);
    for (ptrdiff_t r = 0; r < p->n; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            logits[c * CHUNK + r] = p->b[c * p->b_step];
    for (ptrdiff_t block = 0; block < p->n_in; block += BLOCK)
        for (ptrdiff_t r = 0; r < p->n; r++) {
            const ptrdiff_t end = block + BLOCK < p->n_in ? block + BLOCK : p->n_in;
            memset(sums, 0, p->n_out * sizeof(REAL));
            for (ptrdiff_t k = block; k < end; k++) {
                const REAL pixel = x.first[r * x.step + k];
                const REAL *w = p->W + k * p->W_row;
                for (ptrdiff_t c = 0; c < p->n_out; c++)
                    sums[c] += pixel * w[c];
            }
            for (ptrdiff_t c = 0; c < p->n_out; c++)
                logits[c * CHUNK + r] += sums[c];
        }
}

/* gW (n_in, n_out) += x.T delta; `rows` holds n_out for each of them. */
static void few_gradient(const problem *p, const rows_of_x x, const REAL *delta,
                         REAL *__restrict__ rows, REAL *__restrict__ gW)
{
    for (ptrdiff_t r = 0; r < p->n; r++)
        for (ptrdiff_t c = 0; c < p->n_out; c++)
            rows[r * p->n_out + c] = delta[c * CHUNK + r];
    for (ptrdiff_t k = 0; k < p->n_in; k++, gW += p->n_out)
        for (ptrdiff_t r = 0; r < p->n; r++) {
            const REAL pixel = x.first[r * x.step + k], *d = rows + r * p->n_out;
            for (ptrdiff_t c = 0; c < p->n_out; c++)
                gW[c] += pixel * d[c];
        }
}

/* Between NumPy arrays and kernel.c, which stands above this in the same namespace and
   knows no Python. The functions return 0, or -1 with a Python exception set. */

/* A new reference to `array`, copied where the kernel could not step through it. */
static PyArrayObject *steppable(PyArrayObject *array, int whole_rows)
{
    const npy_intp item = PyArray_ITEMSIZE(array);
    int fits = PyArray_ISALIGNED(array) && PyArray_ISNOTSWAPPED(array);
    for (int axis = 0; axis < PyArray_NDIM(array); axis++)
        fits = fits && PyArray_STRIDE(array, axis) % item == 0;
    if (whole_rows && PyArray_DIM(array, 1) > 1)
        fits = fits && PyArray_STRIDE(array, 1) == item;
    if (!fits)
        return (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER);
    Py_INCREF(array);
    return array;
}

/* Leaves in *output a C-contiguous array of this shape; keeps the one there if it is. */
static int provide(PyArrayObject **output, int n_dims, npy_intp *shape, int type)
{
    PyArrayObject *old = *output;
    if (old && PyArray_IS_C_CONTIGUOUS(old) && PyArray_NDIM(old) == n_dims &&
        PyArray_CompareLists(PyArray_DIMS(old), shape, n_dims))
        return 0;
    Py_XDECREF(old);
    *output = (PyArrayObject *)PyArray_EMPTY(n_dims, shape, type, 0);
    return *output ? 0 : -1;
}

/* Sets `p` from the arrays, whose lengths must fit each other. */
static int set_problem(problem *p, PyArrayObject *x, PyArrayObject *W, PyArrayObject *b,
                       PyArrayObject *y)
{
    const ptrdiff_t item = sizeof(REAL);
    if (PyArray_DIM(x, 1) != PyArray_DIM(W, 0) || PyArray_DIM(W, 1) != PyArray_DIM(b, 0)) {
        PyErr_Format(PyExc_ValueError,
                     "Softmax regression: shapes do not fit: input (%zd, %zd), "
                     "W (%zd, %zd), b (%zd,).",
                     PyArray_DIM(x, 0), PyArray_DIM(x, 1), PyArray_DIM(W, 0),
                     PyArray_DIM(W, 1), PyArray_DIM(b, 0));
        return -1;
    }
    p->x = (const REAL *)PyArray_DATA(x);
    p->W = (const REAL *)PyArray_DATA(W);
    p->b = (const REAL *)PyArray_DATA(b);
    p->y = (const char *)PyArray_DATA(y);
    p->n = PyArray_DIM(x, 0);
    p->n_in = PyArray_DIM(W, 0);
    p->n_out = PyArray_DIM(W, 1);
    p->n_labels = PyArray_DIM(y, 0);
    p->x_row = PyArray_STRIDE(x, 0) / item;
    p->W_row = PyArray_STRIDE(W, 0) / item;
    p->W_column = PyArray_STRIDE(W, 1) / item;
    p->b_step = PyArray_STRIDE(b, 0) / item;
    p->y_step = PyArray_STRIDE(y, 0);
    p->y_is_int64 = PyArray_ITEMSIZE(y) == 8;
    p->n_threads = threads_for(p->n, p->n_in, p->n_out);
    return 0;
}

/* Holds the kernel's memory from call to call; zero to begin with. */
typedef struct {
    void *memory;
    size_t bytes;
} workspace;

static int provide_workspace(workspace *w, const problem *p)
{
    const size_t bytes = workspace_bytes(p->n_in, p->n_out, p->n_threads);
    if (bytes > w->bytes) {
        free(w->memory);
        w->bytes = 0;
        w->memory = malloc(bytes);
        if (!w->memory) {
            PyErr_NoMemory();
            return -1;
        }
        w->bytes = bytes;
    }
    return 0;
}

static int bad_label(const problem *p, ptrdiff_t row)
{
    if (p->n_labels > p->n)
        PyErr_Format(PyExc_IndexError,
                     "Softmax regression: %zd labels for %zd examples.",
                     p->n_labels, p->n);
    else
        PyErr_Format(PyExc_IndexError,
                     "Softmax regression: label %lld at position %zd is out of bounds; "
                     "with %zd classes labels go from 0 to %zd.",
                     (long long)label_at(p, row), row, p->n_out, p->n_out - 1);
    return -1;
}

/* loss (), gW (n_in, n_out) and gb (n_out,). */
static int loss_and_gradient(workspace *w, PyArrayObject *x, PyArrayObject *W,
                             PyArrayObject *b, PyArrayObject *y, PyArrayObject **loss,
                             PyArrayObject **gW, PyArrayObject **gb)
{
    const int type = PyArray_TYPE(x);
    problem p;
    double mean;
    if (set_problem(&p, x, W, b, y) || provide_workspace(w, &p) ||
        provide(loss, 0, NULL, type) || provide(gW, 2, PyArray_DIMS(W), type) ||
        provide(gb, 1, PyArray_DIMS(b), type))
        return -1;
    const ptrdiff_t bad_row =
        p.n_labels > p.n ? p.n : softmax_regression(&p, w->memory, &mean,
                                                    (REAL *)PyArray_DATA(*gW),
                                                    (REAL *)PyArray_DATA(*gb));
    if (bad_row >= 0)
        return bad_label(&p, bad_row);
    *(REAL *)PyArray_DATA(*loss) = (REAL)mean;
    return 0;
}

/* errors (): the share of examples whose most probable class is not their label. */
static int errors(workspace *w, PyArrayObject *x, PyArrayObject *W, PyArrayObject *b,
                  PyArrayObject *y, PyArrayObject **result)
{
    problem p;
    if (set_problem(&p, x, W, b, y) || provide_workspace(w, &p) ||
        provide(result, 0, NULL, NPY_DOUBLE))
        return -1;
    if (p.n_labels != p.n) {
        PyErr_Format(PyExc_ValueError,
                     "Softmax regression: %zd labels for %zd examples.", p.n_labels, p.n);
        return -1;
    }
    softmax_regression(&p, w->memory, (double *)PyArray_DATA(*result), NULL, NULL);
    return 0;
}

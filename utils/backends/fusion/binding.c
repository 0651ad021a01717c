/* Between NumPy arrays and the kernel's library, which knows no Python; stands below
   problem.h. The functions return 0, or -1 with a Python exception set. */

/* State of one operation from call to call; zero but for the kernel at first. */
typedef struct {
    const kernel *functions;
    void *memory; /* for the kernel */
    size_t bytes;
    PyArrayObject *held[4]; /* x, W, b and y during a call */
} workspace;

/* Finds the kernel's functions: kernel_library.py has its library compiled and loaded. */
static int find_kernel(workspace *space)
{
    PyObject *module = PyImport_ImportModule("utils.backends.fusion.kernel_library");
    PyObject *address = module ? PyObject_CallMethod(module, "address", "s",
                                                     sizeof(REAL) == 8 ? "float64" : "float32")
                               : NULL;
    space->functions = address ? (const kernel *)PyLong_AsVoidPtr(address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(module);
    return space->functions ? 0 : -1;
}

/* A new reference to `array`, copied where the kernel could not step through it. */
static PyArrayObject *steppable(PyArrayObject *array, int whole_rows)
{
    const npy_intp item = PyArray_ITEMSIZE(array);
    int fits = PyArray_ISALIGNED(array);
    for (int axis = 0; axis < PyArray_NDIM(array); axis++)
        fits = fits && PyArray_STRIDE(array, axis) % item == 0;
    if (whole_rows && PyArray_DIM(array, 1) > 1)
        fits = fits && PyArray_STRIDE(array, 1) == item;
    if (!fits)
        return (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER);
    Py_INCREF(array);
    return array;
}

/* Leaves in *output a C-contiguous array of this shape; keeps one that is there. */
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

static void end(workspace *space)
{
    for (int i = 0; i < 4; i++)
        Py_CLEAR(space->held[i]);
}

/* Sets `p` from the arrays, whose lengths must fit each other, and holds them and the
   kernel's memory in `space`. To be followed by end(). */
static int begin(workspace *space, problem *p, PyArrayObject *x, PyArrayObject *W,
                 PyArrayObject *b, PyArrayObject *y)
{
    const ptrdiff_t item = sizeof(REAL);
    if (PyArray_DIM(x, 1) != PyArray_DIM(W, 0) || PyArray_DIM(W, 1) != PyArray_DIM(b, 0) ||
        PyArray_DIM(b, 0) == 0) {
        PyErr_Format(PyExc_ValueError,
                     "Softmax regression: shapes do not fit: input (%zd, %zd), "
                     "W (%zd, %zd), b (%zd,).",
                     PyArray_DIM(x, 0), PyArray_DIM(x, 1), PyArray_DIM(W, 0),
                     PyArray_DIM(W, 1), PyArray_DIM(b, 0));
        return -1;
    }
    PyArrayObject *const given[4] = {x, W, b, y};
    for (int i = 0; i < 4; i++) {
        space->held[i] = steppable(given[i], i == 0);
        if (!space->held[i])
            return -1;
    }
    x = space->held[0], W = space->held[1], b = space->held[2], y = space->held[3];
    p->x = PyArray_DATA(x);
    p->x_is_bytes = PyArray_TYPE(x) == NPY_UINT8;
    p->W = (const REAL *)PyArray_DATA(W);
    p->b = (const REAL *)PyArray_DATA(b);
    p->y = (const char *)PyArray_DATA(y);
    p->n = PyArray_DIM(x, 0);
    p->n_in = PyArray_DIM(W, 0);
    p->n_out = PyArray_DIM(W, 1);
    p->n_labels = PyArray_DIM(y, 0);
    p->x_row = PyArray_STRIDE(x, 0) / PyArray_ITEMSIZE(x);
    p->W_row = PyArray_STRIDE(W, 0) / item;
    p->W_column = PyArray_STRIDE(W, 1) / item;
    p->b_step = PyArray_STRIDE(b, 0) / item;
    p->y_step = PyArray_STRIDE(y, 0);
    p->y_is_int64 = PyArray_ITEMSIZE(y) == 8;
    p->softmax = p->delta = NULL;
    p->predicted = NULL;
    space->functions->plan(p);
    const size_t bytes = space->functions->workspace_bytes(p);
    if (bytes > space->bytes) {
        free(space->memory);
        space->bytes = bytes;
        space->memory = malloc(bytes);
    }
    if (!space->memory) {
        space->bytes = 0;
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int wrong_number_of_labels(const problem *p, PyObject *kind)
{
    PyErr_Format(kind, "Softmax regression: %zd labels for %zd examples.", p->n_labels,
                 p->n);
    return -1;
}

/* loss (), gW (n_in, n_out) and gb (n_out,); unless they are NULL, softmax and delta
   (n, n_out) and predicted (n,). */
static int loss_and_rows(workspace *space, PyArrayObject *x, PyArrayObject *W,
                         PyArrayObject *b, PyArrayObject *y, PyArrayObject **loss,
                         PyArrayObject **gW, PyArrayObject **gb, PyArrayObject **softmax,
                         PyArrayObject **delta, PyArrayObject **predicted)
{
    const int type = PyArray_TYPE(W);
    npy_intp shape[2] = {PyArray_DIM(x, 0), PyArray_DIM(W, 1)};
    problem p;
    double mean;
    int status = -1;
    if (begin(space, &p, x, W, b, y) == 0 && provide(loss, 0, NULL, type) == 0 &&
        provide(gW, 2, PyArray_DIMS(W), type) == 0 &&
        provide(gb, 1, PyArray_DIMS(b), type) == 0 &&
        (!softmax || (provide(softmax, 2, shape, type) == 0 &&
                      provide(delta, 2, shape, type) == 0 &&
                      provide(predicted, 1, shape, NPY_INT64) == 0))) {
        if (softmax) {
            p.softmax = (REAL *)PyArray_DATA(*softmax);
            p.delta = (REAL *)PyArray_DATA(*delta);
            p.predicted = (int64_t *)PyArray_DATA(*predicted);
        }
        if (p.n_labels > p.n)
            status = wrong_number_of_labels(&p, PyExc_IndexError);
        else {
            const ptrdiff_t bad_row = space->functions->softmax_regression(
                &p, space->memory, &mean, (REAL *)PyArray_DATA(*gW),
                (REAL *)PyArray_DATA(*gb));
            *(REAL *)PyArray_DATA(*loss) = (REAL)mean;
            status = bad_row < 0 ? 0 : -1;
            if (bad_row >= 0)
                PyErr_Format(PyExc_IndexError,
                             "Softmax regression: label %lld at position %zd is out of "
                             "bounds; with %zd classes labels go from 0 to %zd.",
                             (long long)label_at(&p, bad_row), bad_row, p.n_out,
                             p.n_out - 1);
        }
    }
    end(space);
    return status;
}

static int loss_and_gradient(workspace *space, PyArrayObject *x, PyArrayObject *W,
                             PyArrayObject *b, PyArrayObject *y, PyArrayObject **loss,
                             PyArrayObject **gW, PyArrayObject **gb)
{
    return loss_and_rows(space, x, W, b, y, loss, gW, gb, NULL, NULL, NULL);
}

/* errors (): the share of examples whose most probable class is not their label. */
static int errors(workspace *space, PyArrayObject *x, PyArrayObject *W, PyArrayObject *b,
                  PyArrayObject *y, PyArrayObject **result)
{
    problem p;
    int status = -1;
    if (begin(space, &p, x, W, b, y) == 0 && provide(result, 0, NULL, NPY_DOUBLE) == 0) {
        if (p.n_labels != p.n)
            status = wrong_number_of_labels(&p, PyExc_ValueError);
        else {
            space->functions->softmax_regression(
                &p, space->memory, (double *)PyArray_DATA(*result), NULL, NULL);
            status = 0;
        }
    }
    end(space);
    return status;
}

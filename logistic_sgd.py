r"""Classifying MNIST digits by logistic regression, trained by minibatch SGD.

Logistic regression is a linear classifier with probabilities. A weight matrix :math:`W`
and a bias vector :math:`b` give each class a score, and softmax turns the scores of an
image :math:`x` into probabilities:

.. math::
    P(Y = i \mid x, W, b) = \frac{e^{W_i x + b_i}}{\sum_j e^{W_j x + b_j}}

The prediction is the most probable class. Training lowers the mean of
:math:`-\log P(Y = y \mid x)` over minibatches of labelled images, by stochastic
gradient descent. All of it is written as symbolic expressions; PyTensor differentiates
and compiles them.

The lesson is that of the Deep Learning Tutorials, "Classifying MNIST digits using
Logistic Regression"; the method is in C. M. Bishop, Pattern Recognition and Machine
Learning, section 4.3.4.
"""

import os
import sys
from importlib.util import find_spec

try:
    from utils.cli import startup
except ImportError as error:  # another program's `utils` comes first
    found = find_spec("utils")
    found = found and (found.origin or [*found.submodule_search_locations])
    raise (SystemExit if __name__ == "__main__" else ImportError)(
        f"{os.path.basename(__file__)}: error: expected its own package `utils`, found "
        f"{found} ({error}): start Python in a checkout of this program, or rename the "
        "other `utils`."
    ) from None

startup.prepare(__name__)  # ahead of the imports below: they take a second

import numpy as np
import pytensor
import pytensor.tensor as T

from utils import backends, datasets
from utils.errors import DigitImageError, ModelFileError
from utils.text import shown
from utils.training import ModelInput, Run, model_file, places, resumable
from utils.training.class_names import class_names


class LogisticRegression:
    """Multi-class logistic regression.

    Parameters
    ----------
    input : symbolic matrix, ``(n, n_in)``, floatX
        A minibatch of images, or the output of another layer.
    n_in : int
        Number of features (pixels) of an example.
    n_out : int
        Number of classes.

    Attributes
    ----------
    W, b : shared variables, ``(n_in, n_out)`` and ``(n_out,)``, floatX
        The parameters, zeros at first.
    p_y_given_x : symbolic matrix, ``(n, n_out)``
        Probability of each class for each example.
    y_pred : symbolic vector of int64, ``(n,)``
        The most probable class of each example.
    params : list
        ``[W, b]``.
    input : symbolic matrix
        As given.
    """

    def __init__(self, input, n_in, n_out):
        floatX = pytensor.config.floatX
        self.W = shared_parameter(np.zeros((n_in, n_out), dtype=floatX), "W")
        self.b = shared_parameter(np.zeros((n_out,), dtype=floatX), "b")
        self.params = [self.W, self.b]
        self._connect(input)

    def _connect(self, input):
        """Write down the predictions for `input` in terms of `W` and `b`."""
        self.input = input
        self.p_y_given_x = T.special.softmax(T.dot(input, self.W) + self.b, axis=1)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)

    def negative_log_likelihood(self, y):
        r"""Mean negative log-likelihood of the right classes over a minibatch.

        .. math::
            -\frac{1}{n} \sum_{i=1}^{n} \log P(Y = y_i \mid x_i, W, b)

        With the mean, unlike the sum, a good learning rate depends little on the size
        of the minibatch.

        Parameters
        ----------
        y : symbolic vector of integers, ``(n,)``
            The right class of each example.

        Returns
        -------
        symbolic scalar, floatX
        """
        # Row i, column y[i]: the log-probability that example i gives its right class.
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        """Fraction of a minibatch that is classified wrongly (the zero-one loss).

        Parameters
        ----------
        y : symbolic vector of integers, ``(n,)``
            The right class of each example.

        Returns
        -------
        symbolic scalar, float64

        Raises
        ------
        TypeError
            If `y` has another number of dimensions than the predictions.
        NotImplementedError
            If `y` is not of an integer type.
        """
        if y.ndim != self.y_pred.ndim:
            raise TypeError(
                f"y should have as many dimensions as y_pred: expected "
                f"{self.y_pred.type}, found {y.type}."
            )
        if not y.dtype.startswith(("int", "uint")):
            raise NotImplementedError(
                f"Errors are counted against integer labels; y has dtype {y.dtype}. "
                "Cast it, for example with T.cast(y, 'int32')."
            )
        return T.mean(T.neq(self.y_pred, y))

    def __getstate__(self):
        """Arrays and plain metadata; the graph is written down again on loading."""
        return {
            "W": self.W.get_value(),
            "b": self.b.get_value(),
            "metadata": getattr(self, "metadata", {}),
        }

    def __setstate__(self, state):
        W, b = state["W"], state["b"]
        self.W = shared_parameter(W, "W")
        self.b = shared_parameter(b, "b")
        self.params = [self.W, self.b]
        self.metadata = state["metadata"]
        self._connect(T.matrix("x", dtype=W.dtype))


def shared_parameter(value, name):
    """A shared variable whose shape the compiler may rely on."""
    return pytensor.shared(value, name=name, borrow=True, shape=value.shape)


def load_data(dataset, dtype=None, notify=None):
    """Load a dataset into shared variables.

    Parameters
    ----------
    dataset : str, path or arrays
        ``mnist.pkl.gz``, ``fashion_mnist``, ``digits``, or the path of a ``.pkl.gz``,
        of a folder of IDX or .npy files, or of an ``.npz``; or arrays ``[(x, y), (x,
        y), (x, y)]``, or ``(x, y)`` to be split. See `utils.datasets.load`.
    dtype : "uint8" or None
        None (default) gives images of floatX. "uint8" keeps pixels that are whole
        256ths as bytes, a quarter of the memory or less: see `scaled`.
    notify : callable, optional
        Called with a line of text where loading takes a while (a download).

    Returns
    -------
    list of three pairs
        ``[(train_set_x, train_set_y), (valid_set_x, valid_set_y), (test_set_x,
        test_set_y)]``: images as shared matrices ``(n, n_in)`` of floatX or uint8,
        labels as shared vectors ``(n,)`` of int32. Both are symbolic, ready for
        ``givens``. Arrays that were given are shared, not copied, where they fit.

    Raises
    ------
    utils.errors.DatasetError
        If the dataset is missing or not as expected.
    """

    def shared_dataset(x, y):
        # In shared variables the whole split lies where the compiled functions run;
        # a minibatch is then a slice there, not a copy at each call.
        if x.dtype != "uint8":
            x = np.asarray(x, dtype=pytensor.config.floatX)
        return pytensor.shared(x, borrow=True), pytensor.shared(y, borrow=True)

    splits = datasets.load(dataset, notify=notify, dtype=dtype)
    return [shared_dataset(x, y) for x, y in splits]


def scaled(images):
    """Pixels as the model takes them: bytes become ``byte / 256``, floats stay.

    Parameters
    ----------
    images : symbolic matrix, ``(n, n_in)``, uint8 or floatX

    Returns
    -------
    symbolic matrix, ``(n, n_in)``, floatX
        1/256 is a power of two, so that no digit of a result depends on the choice.
    """
    if images.dtype == "uint8":
        return T.cast(images, pytensor.config.floatX) / 256
    return images


@resumable
def sgd_optimization_mnist(
    learning_rate=0.13,
    n_epochs=1000,
    dataset="mnist.pkl.gz",
    batch_size=600,
    **settings,
):
    """Train logistic regression by minibatch stochastic gradient descent.

    Parameters
    ----------
    learning_rate : float
        Step along the negative gradient. Default 0.13.
    n_epochs : int
        The most epochs to train; patience usually ends the run before. Default 1000.
    dataset : str, path or arrays
        See `load_data`.
    batch_size : int or None
        Examples in a minibatch. Default 600; see `utils.training.Run`.
    settings
        Those that are not the tutorial's: `shuffle`, `n_steps`, `model`, `backend`,
        `monitor`, `checkpoint` and `resume`; see `utils.training.Settings`.

    Returns
    -------
    utils.training.TrainingResult

    Raises
    ------
    utils.errors.UserError
        One of those of `load_data` or `utils.training.Run`.
    """
    run = Run("minibatch SGD", dataset, n_epochs, batch_size, learning_rate, **settings)
    learning_rate = float(learning_rate)  # a float64 of NumPy would make W float64

    run.stage("... loading data")
    splits = load_data(dataset, dtype="uint8", notify=run.log)
    train_set_x, train_set_y = splits[0]
    valid_set_x, valid_set_y = splits[1]
    test_set_x, test_set_y = splits[2]
    batch_size, n_train_batches, n_valid_batches, n_test_batches = run.set_data(splits)

    run.stage("... building the model")
    index = T.lscalar("index")  # which minibatch
    x = T.matrix("x")  # its images, (batch_size, n_in)
    y = T.ivector("y")  # their labels, (batch_size,)

    classifier = LogisticRegression(input=x, n_in=run.n_in, n_out=run.n_out)
    cost = classifier.negative_log_likelihood(y)

    # The functions take only the index of a minibatch: givens replaces x and y by
    # slices of the shared data.
    minibatch = slice(index * batch_size, (index + 1) * batch_size)
    run.log("... compiling (slow the first time, then kept for the next run)")
    test_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(test_set_x[minibatch]), y: test_set_y[minibatch]},
        mode=run.mode,
    )
    validate_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(valid_set_x[minibatch]), y: valid_set_y[minibatch]},
        mode=run.mode,
    )

    # PyTensor derives the gradients; updates says what each call of train_model puts
    # in the place of the old parameters.
    g_W, g_b = T.grad(cost, [classifier.W, classifier.b])
    rows = run.rows(minibatch)  # the slice itself, or with shuffle a random order's
    train_model = pytensor.function(
        inputs=[index],
        outputs=cost,
        updates=[
            (classifier.W, classifier.W - learning_rate * g_W),
            (classifier.b, classifier.b - learning_rate * g_b),
        ],
        givens={x: scaled(train_set_x[rows]), y: train_set_y[rows]},
        mode=run.mode,
    )

    run.stage("... training the model")
    run.patience = 5000  # look at this many minibatches regardless
    run.patience_increase = 2  # wait this much longer when a new best is found
    run.improvement_threshold = 0.995  # of the best error: below, it is significant
    # Validate once an epoch, or more often where patience could run out within one.
    validation_frequency = min(n_train_batches, run.patience // 2)
    run.start(train_model, validate_model, test_model)

    while run.epoch < run.n_epochs and not run.done_looping:
        run.epoch += 1
        for minibatch_index in run.minibatches():
            minibatch_avg_cost = train_model(minibatch_index)
            run.iter = (run.epoch - 1) * n_train_batches + minibatch_index
            run.on_minibatch_end(minibatch_avg_cost)

            n_done = run.iter + 1
            if n_done % validation_frequency == 0 or n_done == run.n_steps:
                run.check_costs(remedy=f"a learning rate below {learning_rate:g}")
                validation_losses = [validate_model(i) for i in range(n_valid_batches)]
                this_validation_loss = np.mean(validation_losses)
                run.say(
                    f"{run.where}, validation error {this_validation_loss * 100:f} %"
                )
                # With n_steps the latest model is kept, better or not.
                if run.n_steps or this_validation_loss < run.best_validation_loss:
                    threshold = run.best_validation_loss * run.improvement_threshold
                    if this_validation_loss < threshold:
                        run.patience = max(
                            run.patience, run.iter * run.patience_increase
                        )
                    run.best_validation_loss = this_validation_loss
                    test_losses = [test_model(i) for i in range(n_test_batches)]
                    run.test_score = np.mean(test_losses)
                    run.say(
                        f"     {run.where}, test error of {run.kept} model "
                        f"{run.test_score * 100:f} %"
                    )
                    run.save(classifier)
                run.on_validation_end(this_validation_loss)

            if run.patience <= run.iter:
                run.done_looping = True
                break

    run.close()
    run.say(
        f"Optimization complete with {run.kept} validation score of "
        f"{run.best_validation_loss * 100:f} %,"
        f"with test performance {run.test_score * 100:f} %"
    )
    count, unit = run.duration
    run.say(f"The code run for {count} {unit}, with {count / run.seconds:f} {unit}/sec")
    name = os.path.basename(__file__)
    run.note(f"The code for file {name} ran for {run.seconds:.1f}s")
    if run.n_steps is not None:
        run.print_accuracy(classifier.errors(y), {x: scaled(test_set_x), y: test_set_y})
    return run.result()


def load_model(path, **arguments):
    """Load a saved model; a script that trains another class names it here.

    Parameters
    ----------
    path : str or path
    arguments
        See `utils.training.model_file.load`, as for the errors.

    Returns
    -------
    LogisticRegression
    """
    return model_file.load(path, LogisticRegression, **arguments)


def compile_predictor(classifier, backend="auto"):
    """Compile the way from a model's input to its predictions.

    Parameters
    ----------
    classifier : LogisticRegression
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".

    Returns
    -------
    compiled function
        Takes images ``(n, n_in)`` of the model's floatX; returns its `y_pred` and
        `p_y_given_x` for them.
    """
    return pytensor.function(
        inputs=[classifier.input],
        outputs=[classifier.y_pred, classifier.p_y_given_x],
        mode=backends.compilation_mode(backend),
    )


def predict(
    model="best_model.pkl", dataset=None, images=None, *, backend="auto", notify=None
):
    """Predict the labels of images with a saved model.

    Parameters
    ----------
    model : str or path
        The file that training saved. Default ``best_model.pkl``.
    dataset : str, path or arrays, optional
        Where `images` is not given, the first ten test examples of this dataset are
        predicted; see `load_data`. The default is the one that the model was trained
        on; another one is named in a remark.
    images : array_like, ``(n, n_in)`` or ``(n, 28, 28)``, optional
        Images; one alone may lack the axis n. Whole numbers are pixels, and divided by
        256; floats are taken as they are, and get a remark where they lie far outside
        of what the model was trained on. See `utils.training.ModelInput.rows`.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".
    notify : callable, optional
        Called with each one-line remark. Default: print it on standard error.

    Returns
    -------
    numpy.ndarray of int64, ``(n,)``
        The predicted labels. Those of a dataset are printed as well.

    Raises
    ------
    utils.errors.ModelFileError
        If the file is no model, or a model for examples of another size.
    utils.errors.DatasetError
        See `load_data`; also if `images` are not finite numbers.
    """
    classifier = load_model(model)
    model_input = ModelInput(model, classifier, notify)
    from_dataset = images is None
    if from_dataset:
        images = model_input.test_examples(dataset, n=10)
    images = model_input.rows(images)
    predicted_values, p_y_given_x = compile_predictor(classifier, backend)(images)
    model_file.check_answers(p_y_given_x, model)
    if from_dataset:
        print("Predicted values for the first 10 examples in test set:")
        print(model_input.named(predicted_values))
    return predicted_values


def predict_digits(files, model="best_model.pkl", *, plot=None, backend="auto"):
    """Predict the digits in picture files, and print the three best classes of each.

    Where the answer is doubtful, for the picture or because no class has 60 %, the line
    says why.

    Parameters
    ----------
    files : iterable of str or path
        Pictures, one digit in each; see `utils.digit_image.read`.
    model : str or path
        A model of 28x28 or 8x8 images. Default ``best_model.pkl``.
    plot : str or path, optional
        A folder, where ``NAME_seen.png`` then shows what the model saw.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".

    Returns
    -------
    numpy.ndarray of float, ``(n, n_out)``
        The probability of each class for each picture.

    Raises
    ------
    utils.errors.ModelFileError
        If the file is no model, or one for images of another size.
    utils.errors.DigitImageError
        At the end, if a picture could not be read; a line for each that could not.
    utils.errors.WriteError
        If a file in `plot` could not be written, or is another picture.
    """
    from utils import digit_image

    files = list(files)
    if plot is not None:
        places.check_prediction(files, model, plot)
    classifier = load_model(model)
    n_in, n_out = (classifier.metadata[name] for name in ("n_in", "n_out"))
    frame = digit_image.frame_of(n_in, classifier.metadata.get("dataset"))
    if frame is None:
        raise ModelFileError(
            f"{model}: a picture becomes 28x28 = 784 or 8x8 = 64 pixels, but this "
            f"model expects {n_in}: train one on MNIST with `python logistic_sgd.py`."
        )
    digits, errors = digit_image.read_all(files, frame)
    images = np.zeros((len(digits), n_in), dtype=classifier.input.dtype)
    for image, digit in zip(images, digits, strict=True):
        image[:] = digit.pixels
    probabilities = np.zeros((0, n_out))
    if digits:
        _, probabilities = compile_predictor(classifier, backend)(images)
    model_file.check_answers(probabilities, model)
    names = class_names(classifier.metadata)
    for digit, p in zip(digits, probabilities, strict=True):
        best = np.argsort(-p)[:3]
        shares = ", ".join(f"{names[i]}: {p[i] * 100:.1f} %" for i in best)
        unsure = ["the model is not sure"] if p[best[0]] < 0.6 else []
        doubts = digit.doubts + unsure
        doubtful = "; doubtful: " + ", ".join(doubts) if doubts else ""
        print(shown(f"{digit.path}: {names[best[0]]} ({shares}){doubtful}"))
    if plot is not None:
        digit_image.write_previews(digits, plot)
    if errors:
        raise DigitImageError(*errors)
    return probabilities


def main(arguments=None):
    """Train from the command line, or predict; returns the exit status."""
    from utils.cli import command_line
    from utils.report import outputs

    parser = command_line.parser(__file__, __doc__, n_epochs=1000)
    parser.add_argument(
        "--learning-rate",
        type=float,
        help="step along the negative gradient (default: 0.13)",
    )
    parser.add_argument(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="take the training images in a new random order each epoch (default: in "
        "the order of the file)",
    )
    parser.add_argument(
        "--n-steps",
        type=int,
        metavar="N",
        help="train N minibatches, instead of --n-epochs and patience, and save the "
        "last model instead of the best",
    )
    parser.add_argument(
        "--predict",
        nargs="*",
        metavar="PICTURE",
        help="predict the digits in these picture files with a saved model, or where "
        "none is named the first ten test examples of --dataset (default: the one that "
        "the model was trained on); trains nothing",
    )

    def run(options):
        training_only = ("report", "history", "checkpoint", "resume")
        if options.predict is not None and command_line.given(options, *training_only):
            parser.error("--predict trains nothing: leave out what a run would write")
        if options.predict:
            arguments = command_line.given(options, "model", "plot", "backend")
            predict_digits(options.predict, **arguments)
        elif options.predict is not None:
            arguments = command_line.given(options, "model", "dataset", "backend")
            predict(**arguments, notify=options.monitor.log)
        else:
            result = sgd_optimization_mnist(
                **command_line.given(options, "learning_rate", "shuffle", "n_steps"),
                **command_line.training_arguments(options),
            )
            outputs.show(options, result, load_model)

    return command_line.run(parser, run, arguments, floatX="float32")


if __name__ == "__main__":
    # As a module of the file's name: what is pickled then belongs to that module.
    sys.exit(startup.run_as_module(__file__))

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

import math
import sys

from utils.cli import startup

startup.prepare(__name__)  # before the imports that take a second

import numpy as np
import pytensor
import pytensor.tensor as T

from utils import backends, datasets, digit_image
from utils.cli import command_line
from utils.report import outputs
from utils.training import (
    FixedStepsState,
    TrainingResult,
    TrainingState,
    check_hyperparameters,
    minibatch_counts,
    model_file,
)
from utils.training.checkpoint import Checkpoint
from utils.training.example_order import ExampleOrder
from utils.training.monitor import Monitor
from utils.training.resuming import resumable


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
    dataset : str or path
        ``mnist.pkl.gz``, ``digits``, or the path of a ``.pkl.gz``, of a folder of IDX
        or .npy files, or of an ``.npz``; see `utils.datasets.load`.
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
        ``givens``.

    Raises
    ------
    utils.datasets.DatasetError
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


@resumable(dataset="dataset", alternatives=["n_epochs", "n_steps"])
def sgd_optimization_mnist(
    learning_rate=0.13,
    n_epochs=1000,
    dataset="mnist.pkl.gz",
    batch_size=600,
    *,
    model="best_model.pkl",
    backend="auto",
    monitor=None,
    checkpoint=None,
    resume=None,
    shuffle=None,
    n_steps=None,
):
    """Train logistic regression by minibatch stochastic gradient descent.

    Parameters
    ----------
    learning_rate : float
        Step along the negative gradient. Default 0.13.
    n_epochs : int
        The most epochs to train; patience usually ends the run before. Default 1000.
    dataset : str or path
        See `load_data`.
    batch_size : int or None
        Examples in a minibatch. Default 600; None means 600, or 20 where a split holds
        fewer than 600. The rest past the last full minibatch is left out.
    model : str or path
        Where the best model is saved. Default ``best_model.pkl``.
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".
    monitor : utils.training.monitor.Monitor, optional
        What the run reports to; the default prints the tutorial's lines only.
    checkpoint : str or path, optional
        Where the state of training is kept at each validation. Default: `resume`.
    resume : str or path, optional
        A checkpoint to go on from. Arguments that are not given have the values they
        had in its run; only `n_epochs`, `n_steps`, `backend`, and the places of files
        may differ. The lines that are printed are those that are left of that run.
    shuffle : int, optional
        Seed, at least 0, of a new random order of the training examples in each epoch;
        see `utils.training.example_order`. Default: the order of the file.
    n_steps : int, optional
        Train so many minibatches: it replaces `n_epochs`, beside which it may not be
        given, and patience. Each validation's model is tested and saved, better or not,
        the last one after the last step. Its accuracy over all test examples, those
        past the last full minibatch too, is one line on standard error.

    Returns
    -------
    utils.training.TrainingResult

    Raises
    ------
    utils.training.HyperparameterError, utils.backends.BackendError
        Before any data is read.
    utils.datasets.DatasetError
        See `load_data`.
    utils.training.checkpoint_file.CheckpointError
        Where `resume` is no checkpoint, or that of another run.
    utils.training.monitor.DivergenceError
        If the cost becomes NaN or infinite.
    utils.training.monitor.TrainingStopped
        If `monitor` was asked to stop.
    utils.files.WriteError
        At the end, if the model or checkpoint could not be written.
    """
    check_hyperparameters(n_epochs, batch_size, learning_rate, shuffle, n_steps)
    mode = backends.compilation_mode(backend)
    monitor = monitor or Monitor()
    announce = monitor.say if resume is None else monitor.log

    announce("... loading data")
    splits = load_data(dataset, dtype="uint8", notify=monitor.log)
    (train_set_x, train_set_y), (valid_set_x, valid_set_y), (test_set_x, test_set_y) = (
        splits
    )
    batch_size, n_train_batches, n_valid_batches, n_test_batches = minibatch_counts(
        [len(x.get_value(borrow=True)) for x, _ in splits], batch_size
    )
    datasets.read_ahead(train_set_x.get_value(borrow=True))
    hyperparameters = {
        "learning_rate": float(learning_rate),
        "batch_size": int(batch_size),
    }
    if shuffle is not None:
        hyperparameters["shuffle"] = int(shuffle)
    if n_steps is not None:
        n_epochs = math.ceil(n_steps / n_train_batches)
    keeper = Checkpoint(
        checkpoint,
        resume,
        "minibatch SGD",
        splits,
        **hyperparameters,
        n_epochs=n_epochs,
        n_steps=n_steps,
        dataset=dataset,
        model=model,
        backend=backend,
    )

    announce("... building the model")
    index = T.lscalar("index")  # which minibatch
    x = T.matrix("x")  # its images, (batch_size, n_in)
    y = T.ivector("y")  # their labels, (batch_size,)

    classifier = LogisticRegression(
        input=x,
        n_in=train_set_x.get_value(borrow=True).shape[1],
        n_out=int(train_set_y.get_value(borrow=True).max()) + 1,
    )
    cost = classifier.negative_log_likelihood(y)

    # The functions take only the index of a minibatch: givens puts the slice of the
    # shared data in the place of x and y.
    minibatch = slice(index * batch_size, (index + 1) * batch_size)
    monitor.log("... compiling (slow the first time, then kept for the next run)")
    test_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(test_set_x[minibatch]), y: test_set_y[minibatch]},
        mode=mode,
    )
    validate_model = pytensor.function(
        inputs=[index],
        outputs=classifier.errors(y),
        givens={x: scaled(valid_set_x[minibatch]), y: valid_set_y[minibatch]},
        mode=mode,
    )

    # PyTensor derives the gradients; updates says what each call of train_model puts
    # in the place of the old parameters.
    g_W, g_b = T.grad(cost, [classifier.W, classifier.b])
    step = T.constant(learning_rate, dtype=pytensor.config.floatX)
    # The slice itself, or with shuffle what it cuts out of the epoch's random order.
    order = ExampleOrder(shuffle, len(train_set_x.get_value(borrow=True)))
    rows = order.rows(minibatch)
    train_model = pytensor.function(
        inputs=[index],
        outputs=cost,
        updates=[
            (classifier.W, classifier.W - step * g_W),
            (classifier.b, classifier.b - step * g_b),
        ],
        givens={x: scaled(train_set_x[rows]), y: train_set_y[rows]},
        mode=mode,
    )
    backends.warm_up(train_model, validate_model, test_model)

    announce("... training the model")
    state = TrainingState() if n_steps is None else FixedStepsState(n_steps=n_steps)
    # Validate once an epoch, or more often where patience could run out within one.
    validation_frequency = min(n_train_batches, state.patience // 2)
    keeper.restore(state, classifier.params, n_train_batches)
    if resume is not None:
        monitor.log(f"... going on after epoch {state.epoch} from {resume}")
        model_file.check_replaceable(model)
        monitor.write(model, model_file.dumps(state.best_model))

    def where():
        minibatch_index = state.iter % n_train_batches
        return f"epoch {state.epoch}, minibatch {minibatch_index + 1}/{n_train_batches}"

    done_looping = state.out_of_patience
    total = n_steps or n_epochs * n_train_batches
    monitor.start(total, "minibatch", state, keeper, where)

    while state.epoch < n_epochs and not done_looping:
        state.epoch += 1
        order.begin(state.epoch)
        # 0, but where a resumed run begins within an epoch.
        first_index = (state.iter + 1) % n_train_batches
        for minibatch_index in range(first_index, n_train_batches):
            minibatch_avg_cost = train_model(minibatch_index)
            state.iter = (state.epoch - 1) * n_train_batches + minibatch_index
            monitor.minibatch(state, minibatch_avg_cost)

            n_done = state.iter + 1
            if n_done % validation_frequency == 0 or n_done == n_steps:
                monitor.check_costs(state, f"a learning rate below {learning_rate:g}")
                this_validation_loss = np.mean(
                    [validate_model(i) for i in range(n_valid_batches)]
                )
                monitor.say(
                    f"{where()}, validation error {this_validation_loss * 100:f} %"
                )
                if state.is_new_best(this_validation_loss):
                    state.test_score = np.mean(
                        [test_model(i) for i in range(n_test_batches)]
                    )
                    monitor.say(
                        f"     {where()}, test error of {state.keeps} model "
                        f"{state.test_score * 100:f} %"
                    )
                    metadata = {
                        "dataset": str(dataset),
                        "trained_by": "minibatch SGD",
                        **hyperparameters,
                        **state.reached,
                        "validation_error": float(this_validation_loss),
                        "test_error": float(state.test_score),
                    }
                    classifier.metadata = model_file.describe(
                        classifier.W.get_value(borrow=True), metadata
                    )
                    state.best_model = classifier.__getstate__()
                    monitor.write(model, model_file.dumps(state.best_model))
                monitor.validation(state, this_validation_loss)

            if state.out_of_patience:
                done_looping = True
                break

    seconds = monitor.seconds
    monitor.close()
    monitor.say(
        f"Optimization complete with {state.keeps} validation score of "
        f"{state.best_validation_loss * 100:f} %,"
        f"with test performance {state.test_score * 100:f} %"
    )
    unit, count = state.length
    monitor.say(
        f"The code run for {count} {unit}s, with {count / seconds:f} {unit}s/sec"
    )
    command_line.print_run_time(__file__, seconds)
    if n_steps is not None:
        # One minibatch of all test examples: the remainder counts as well.
        n_test = len(test_set_y.get_value(borrow=True))
        all_rows = slice(index * n_test, (index + 1) * n_test)
        test_all = pytensor.function(
            inputs=[index],
            outputs=classifier.errors(y),
            givens={x: scaled(test_set_x[all_rows]), y: test_set_y[all_rows]},
            mode=mode,
        )
        command_line.print_accuracy(state.iter + 1, 1 - float(test_all(0)), n_test)
    monitor.check_files()
    return TrainingResult.of(state, seconds, model, dataset)


def predict(model="best_model.pkl", dataset=None, images=None, *, backend="auto"):
    """Predict the labels of images with a saved model.

    Parameters
    ----------
    model : str or path
        The file that training saved. Default ``best_model.pkl``.
    dataset : str or path, optional
        Where `images` is not given, the first ten test examples of this dataset are
        predicted. The default is ``digits`` for a model that was trained on ``digits``,
        else ``mnist.pkl.gz``.
    images : array_like, ``(n, n_in)``, optional
        Images, scaled as the training images were (``byte / 256`` for MNIST).
    backend : str
        See `utils.backends.compilation_mode`. Default "auto".

    Returns
    -------
    numpy.ndarray of int64, ``(n,)``
        The predicted labels. Those of a dataset are printed as well.

    Raises
    ------
    utils.training.model_file.ModelFileError
        If the file is no model, or a model for examples of another size.
    utils.datasets.DatasetError
        See `load_data`.
    """
    classifier = model_file.load(model, LogisticRegression)
    n_in = classifier.W.get_value(borrow=True).shape[0]
    from_dataset = images is None
    if from_dataset:
        if dataset is None:
            digits = classifier.metadata.get("dataset") == "digits"
            dataset = "digits" if digits else "mnist.pkl.gz"
        test_set_x, _ = datasets.load(dataset)[2]
        images = test_set_x[:10]
    images = np.asarray(images, dtype=classifier.W.dtype)
    if images.ndim != 2 or images.shape[1] != n_in:
        raise model_file.ModelFileError(
            f"{model}: this model expects images of shape (n, {n_in}), found "
            f"{images.shape}: name the dataset that it was trained on."
        )
    predict_model = pytensor.function(
        inputs=[classifier.input],
        outputs=classifier.y_pred,
        mode=backends.compilation_mode(backend),
    )
    predicted_values = predict_model(images)
    if from_dataset:
        print("Predicted values for the first 10 examples in test set:")
        print(predicted_values)
    return predicted_values


def predict_digits(files, model="best_model.pkl", *, plot=None, backend="auto"):
    """Predict the digits in picture files, and print the three best classes of each.

    Parameters
    ----------
    files : iterable of str or path
        Pictures, one digit in each; see `utils.digit_image.read`.
    model : str or path
        A model of 28x28 images. Default ``best_model.pkl``.
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
    utils.training.model_file.ModelFileError
        If the file is no model, or one for images of another size.
    utils.digit_image.DigitImageError
        At the end, if a picture could not be read; a line for each that could not.
    utils.files.WriteError
        If a file in `plot` could not be written.
    """
    classifier = model_file.load(model, LogisticRegression)
    n_in, n_out = classifier.W.get_value(borrow=True).shape
    if n_in != digit_image.N_PIXELS:
        raise model_file.ModelFileError(
            f"{model}: a picture becomes 28x28 = 784 pixels, but this model expects "
            f"{n_in}: train one on MNIST with `python logistic_sgd.py`."
        )
    digits, errors = digit_image.read_all(files)
    images = np.zeros((len(digits), n_in), dtype=classifier.W.dtype)
    for image, digit in zip(images, digits, strict=True):
        image[:] = digit.pixels
    predict_model = pytensor.function(
        inputs=[classifier.input],
        outputs=classifier.p_y_given_x,
        mode=backends.compilation_mode(backend),
    )
    probabilities = predict_model(images) if digits else np.zeros((0, n_out))
    for digit, p in zip(digits, probabilities, strict=True):
        best = np.argsort(-p)[:3]
        shares = ", ".join(f"{i}: {p[i] * 100:.1f} %" for i in best)
        print(f"{digit.path}: {best[0]} ({shares})")
    if plot is not None:
        digit_image.write_previews(digits, plot)
    if errors:
        raise digit_image.DigitImageError("\n".join(map(str, errors)))
    return probabilities


def main(arguments=None):
    """Train from the command line, or predict; returns the exit status."""
    parser = command_line.parser("logistic_sgd.py", __doc__, n_epochs=1000)
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
        help="train N minibatches, in the place of --n-epochs and patience, and save "
        "the last model in the place of the best",
    )
    parser.add_argument(
        "--predict",
        nargs="*",
        metavar="PICTURE",
        help="predict the digits in these picture files with a saved model, or the "
        "first ten test examples where no file is named; trains nothing",
    )

    def run(options):
        training_only = ("report", "history", "checkpoint", "resume")
        if options.predict is not None and command_line.given(options, *training_only):
            parser.error("--predict trains nothing: leave out what a run would write")
        if options.predict:
            arguments = command_line.given(options, "model", "plot", "backend")
            predict_digits(options.predict, **arguments)
        elif options.predict is not None:
            predict(**command_line.given(options, "model", "dataset", "backend"))
        else:
            result = sgd_optimization_mnist(
                **command_line.given(options, "learning_rate", "shuffle", "n_steps"),
                **command_line.training_arguments(options),
            )
            outputs.show(options, result)

    return command_line.run(parser, run, arguments, floatX="float32")


if __name__ == "__main__":
    sys.exit(startup.run_as_module(__file__))

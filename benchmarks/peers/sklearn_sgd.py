"""Logistic regression on MNIST with scikit-learn's SGDClassifier.

Another algorithm, so its error differs: ten one-against-all classifiers, a step on
each single example. The rate is the tutorial's share of a minibatch's step.
"""

import numpy as np
import sklearn
from lesson import (
    BATCH_SIZE,
    LEARNING_RATE,
    dataset_argument,
    load_data,
    report_setup,
    thread_count,
    train,
    whole_minibatches,
)
from sklearn.linear_model import SGDClassifier


def main():
    dataset = dataset_argument(__doc__.splitlines()[0])
    (train_x, train_y), valid, test = (
        whole_minibatches(x, y) for x, y in load_data(dataset)
    )
    n_threads = thread_count()
    report_setup(f"scikit-learn {sklearn.__version__}", n_threads)
    model = SGDClassifier(
        loss="log_loss",
        alpha=0,
        learning_rate="constant",
        eta0=LEARNING_RATE / BATCH_SIZE,
        shuffle=False,
        n_jobs=n_threads,
    )
    classes = np.unique(train_y)

    def train_minibatches(n):
        n_examples = n * BATCH_SIZE
        model.partial_fit(train_x[:n_examples], train_y[:n_examples], classes)

    train(
        train_minibatches,
        lambda: 1 - model.score(*valid),
        lambda: 1 - model.score(*test),
        len(train_x) // BATCH_SIZE,
    )


if __name__ == "__main__":
    main()

"""Training in a notebook's kernel: its bar, a quiet run, an interrupt, and resuming."""

import os
import threading
import time

import pytest
from cut_off import saved
from processes import REPOSITORY
from pytensor import config

pytest.importorskip("ipywidgets", reason="needs the extra `notebook`")
manager = pytest.importorskip(
    "jupyter_client.manager", reason="needs the extra `notebook`"
)

CELL = """
import time
from logistic_sgd import sgd_optimization_mnist
from utils.training import Monitor

def train(**settings):  # 60 minibatches
    return sgd_optimization_mnist(0.5, 6, "tiny.npz", 10, **settings)

class Slow(Monitor):
    def advance(self, n_minibatches):
        super().advance(n_minibatches)
        time.sleep(0.05)
"""


class Shown:
    """What a notebook shows of a cell: text, the values of results, errors, widgets."""

    def __init__(self):
        self.text = {"stdout": "", "stderr": ""}
        self.results, self.errors, self.widgets = [], [], {}

    def add(self, message):
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                self.text[content["name"]] += content["text"]
            case "execute_result":
                self.results.append(content["data"]["text/plain"])
            case "error":
                self.errors.append(content["traceback"])
            case "comm_open" | "comm_msg":
                widget = self.widgets.setdefault(content["comm_id"], {})
                widget.update(content["data"].get("state", {}))

    @property
    def lines(self):
        return self.text["stdout"].splitlines()

    @property
    def epoch_lines(self):
        return [line for line in self.lines if ", validation error" in line]

    @property
    def bars(self):
        """Value, maximum and colour of the bars, as Jupyter names them."""
        return [
            (widget["value"], widget["max"], widget["bar_style"])
            for widget in self.widgets.values()
            if widget.get("_model_name") == "FloatProgressModel"
        ]


class Notebook:
    """A kernel, and the one who sits before it."""

    def __init__(self, folder):
        flags = f"base_compiledir={config.base_compiledir}"
        changes = {"PYTENSOR_FLAGS": flags, "PYTHONPATH": str(REPOSITORY)}
        self.folder = folder
        self.kernel, self.client = manager.start_new_kernel(
            cwd=folder, env=os.environ | changes
        )

    def execute(self, cell, interrupt_at=None):
        """Execute a cell; `interrupt_at` is a file that it writes, and then is left."""
        shown = Shown()
        if interrupt_at is not None:
            threading.Thread(target=self._interrupt, args=[interrupt_at]).start()
        self.client.execute_interactive(cell, output_hook=shown.add, timeout=300)
        return shown

    def _interrupt(self, name):
        while self.kernel.is_alive() and not (self.folder / name).exists():
            time.sleep(0.05)
        self.kernel.interrupt_kernel()

    def close(self):
        self.client.stop_channels()
        self.kernel.shutdown_kernel(now=True)


@pytest.fixture
def notebook(tmp_path, tiny_npz):
    notebook = Notebook(tmp_path)
    assert notebook.execute(CELL).errors == []
    yield notebook
    notebook.close()


def test_bar_quiet_run_interrupt_and_resumed(notebook, tmp_path):
    whole = notebook.execute("train(model='unbroken.pkl').test_score")
    assert (whole.errors, whole.text["stderr"]) == ([], "")
    assert whole.bars == [(60, 60, "success")]
    assert len(whole.epoch_lines) == 6
    assert "... ended in epoch 6: all epochs done" in whole.lines

    quiet = notebook.execute(
        "train(monitor=Monitor(quiet=True, epoch_lines=False)).test_score"
    )
    assert (quiet.errors, quiet.bars, quiet.epoch_lines) == ([], [], [])
    assert quiet.results == whole.results

    stopped = notebook.execute(
        "result = train(checkpoint='run.ckpt', monitor=Slow())", interrupt_at="run.ckpt"
    )
    assert (stopped.errors, stopped.text["stderr"]) == ([], "")
    assert stopped.lines[-1].startswith("stopped by SIGINT in epoch ")
    assert stopped.lines[-1].endswith(". Resume with resume='run.ckpt'")
    ((done, total, colour),) = stopped.bars
    assert 10 <= done < total == 60 and colour == "danger"
    n_epochs = len(stopped.epoch_lines)
    assert stopped.epoch_lines == whole.epoch_lines[:n_epochs]
    assert notebook.execute("len(result.history)").results == [str(n_epochs)]

    resumed = notebook.execute("sgd_optimization_mnist(resume='run.ckpt').test_score")
    assert (resumed.errors, resumed.text["stderr"]) == ([], "")
    assert resumed.epoch_lines == whole.epoch_lines[n_epochs:]
    assert resumed.bars == [(60, 60, "success")]
    assert resumed.results == whole.results
    assert saved(tmp_path / "best_model.pkl") == saved(tmp_path / "unbroken.pkl")


def test_interrupt_before_there_is_a_model_is_one_line(notebook):
    cell = (
        "class Waiting(Monitor):\n"
        "    def say(self, line):\n"
        "        open('loading', 'w').close()\n"
        "        time.sleep(3600)\n"
        "train(monitor=Waiting())"
    )
    shown = notebook.execute(cell, interrupt_at="loading")
    assert shown.errors == [["stopped by SIGINT outside of training"]]


def test_bar_follows_its_total(notebook):
    shown = notebook.execute(
        "with Monitor() as monitor:\n"
        "    monitor.start([], total=100)\n"
        "    monitor.show('patience has fallen', total=50)\n"
        "    monitor.advance(50)"
    )
    assert (shown.errors, shown.bars) == ([], [(50, 50, "success")])

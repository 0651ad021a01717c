"""Python's own prompt, as a process."""

import subprocess


def test_interrupt_in_pythons_own_prompt(run, tiny_npz):
    program = (
        "from logistic_sgd import sgd_optimization_mnist as train\n"
        "from test_prompt import Interrupter\n"
        f"result = train(0.5, 6, '{tiny_npz.name}', 10, monitor=Interrupter(45))\n"
        "print(result.ended_because)\n"
    )
    finished = run("-c", program, python=["-i"], stdin=subprocess.DEVNULL)
    assert finished.stdout.splitlines()[-1] == "stopped in epoch 5, minibatch 6/10"
    assert "Traceback" not in finished.stderr

"""best_model.pkl, saved where the class has no name of its own."""

import logistic_sgd


def test_saved_from_a_second_definition_of_the_class(run, tmp_path):
    """As in a console or by %run, where the class is __main__.LogisticRegression."""
    path = tmp_path / "m.pkl"
    program = (
        "import sys, pathlib\n"
        "exec(compile(pathlib.Path(sys.argv[1]).read_text().split('def main')[0],"
        " sys.argv[1], 'exec'))\n"
        "assert LogisticRegression.__module__ == '__main__'\n"
        "model = LogisticRegression(T.matrix('x'), 2, 2)\n"
        "pathlib.Path(sys.argv[2]).write_bytes(model_file.dumps(model.__getstate__()))\n"
        "print(model_file.load(sys.argv[2], LogisticRegression).W.get_value())\n"
    )
    saved = run("-c", program, logistic_sgd.__file__, path, status=0)
    assert b"__main__" not in path.read_bytes()
    assert saved.stdout == "[[0. 0.]\n [0. 0.]]\n"

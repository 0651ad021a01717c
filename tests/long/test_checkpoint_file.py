"""A flipped bit in any byte of a checkpoint."""

from test_checkpoint_file import assert_flips_are_found


def test_any_flipped_bit_is_found(folder):
    assert_flips_are_found(folder / "run.ckpt", 1)

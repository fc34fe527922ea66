"""What the tests of the Python package share."""

import unittest

import numpy as np


def random(shape, seed=1, scale=2.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


class Case(unittest.TestCase):
    def assert_same(self, got, want):
        """Shape, type and bits."""
        want = np.asarray(want)
        self.assertEqual((got.shape, got.dtype), (want.shape, want.dtype))
        self.assertEqual(got.tobytes(), want.tobytes())

    def assert_refused(self, function, *parts):
        with self.assertRaises(ValueError) as caught:
            function()
        for part in parts:
            self.assertIn(part, str(caught.exception))

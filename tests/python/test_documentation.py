"""What the README and the docstrings show is true."""

import doctest
import os
import pathlib
import unittest

import lanequant
import numpy as np

ROOT = pathlib.Path(__file__).parent.parent.parent


class DocumentationTest(unittest.TestCase):
    def test_readme(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        names = {}
        exec(text.split("```python\n")[1].split("```")[0], names)  # pylint: disable=exec-used
        self.assertEqual(names["expanded"].shape, names["weight"].shape)
        self.assertLessEqual(np.abs(names["values"] - names["weight"]).max(), names["c"].scale.max() * 0.501)

    def test_examples(self):
        """Every example of the docstrings gives what it says."""
        folder = os.getcwd()
        os.chdir(ROOT / "tests" / "golden" / "digits_cnn" / "w4a8_lpbq")
        try:
            for name in lanequant.__all__:
                for test in doctest.DocTestFinder().find(getattr(lanequant, name), name, globs={"np": np, "lanequant": lanequant}):
                    if test.examples:
                        text = []
                        failed = doctest.DocTestRunner(verbose=False).run(test, out=text.append).failed
                        self.assertEqual(failed, 0, "".join(text))
        finally:
            os.chdir(folder)


if __name__ == "__main__":
    unittest.main()

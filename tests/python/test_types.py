"""The type stub names every public function, class and parameter, with its defaults."""

import ast
import inspect
import pathlib
import unittest

import lanequant

FOLDER = pathlib.Path(lanequant.__file__).parent


def parameters(arguments):
    """(name, kind, default) of a definition in the stub."""
    positional = arguments.posonlyargs + arguments.args
    missing = [None] * (len(positional) - len(arguments.defaults))
    both = [(positional, missing + arguments.defaults, "POSITIONAL_OR_KEYWORD")]
    both.append((arguments.kwonlyargs, arguments.kw_defaults, "KEYWORD_ONLY"))
    for names, defaults, kind in both:
        for name, default in zip(names, defaults):
            yield name.arg, kind, inspect.Parameter.empty if default is None else ast.literal_eval(default)


def expected(function):
    return [(p.name, p.kind.name, p.default) for p in inspect.signature(function).parameters.values()]


class TypesTest(unittest.TestCase):
    def setUp(self):
        tree = ast.parse((FOLDER / "__init__.pyi").read_text(encoding="utf-8"))
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.functions = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, []).append(node)

    def test_marker(self):
        self.assertTrue((FOLDER / "py.typed").exists())

    def test_every_public_name(self):
        named = {name for name in (*self.classes, *self.functions) if not name.startswith("_")}
        self.assertEqual(named - {"SupportsDLPack"}, set(lanequant.__all__))

    def test_functions(self):
        for name, stubs in self.functions.items():
            want = expected(getattr(lanequant, name))
            for stub in stubs:
                with self.subTest(function=name):
                    got = list(parameters(stub.args))
                    if len(stubs) == 2 and stub is stubs[1]:  # the overload that is given `out` has no default for it
                        want = [(p, kind, inspect.Parameter.empty if p == "out" else d) for p, kind, d in want]
                    self.assertEqual(got, want)
                    self.assertIsNotNone(stub.returns)
                    self.assertTrue(all(a.annotation for a in stub.args.args + stub.args.kwonlyargs))

    def test_classes(self):
        for name in ("BlockCodes", "Calibration", "Encoding", "Lpbq", "QuarkLayer", "QuarkLinear"):
            fields = tuple(node.target.id for node in self.classes[name].body if isinstance(node, ast.AnnAssign))
            self.assertEqual(fields, getattr(lanequant, name)._fields)
        for kind, method in ((lanequant.Model, "run"), (lanequant.QuarkModel, "load")):
            public = {name for name in vars(kind) if not name.startswith("_")}
            methods = {node.name: node for node in self.classes[kind.__name__].body}
            self.assertEqual(set(methods), public | {"__init__"})
            for name in ("__init__", method):
                self.assertEqual(list(parameters(methods[name].args)), expected(getattr(kind, name)))


if __name__ == "__main__":
    unittest.main()

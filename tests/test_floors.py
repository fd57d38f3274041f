"""The architecture, enforced: what may import what, and how long a file may be.

    7  cli
    6  compress   tune
    5  train   explain   serve   bulk   library   similar   bench
    4  predict   pages   writer
    3  tasks   data
    2  hub
    1  families   generate
    0  core   text   image   client   errors

Imports go down only, inside functions too; packages on one floor never import each other.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "manyheads"
FLOORS = (
    ("core", "text", "image", "client", "errors"),
    ("families", "generate"),
    ("hub",),
    ("tasks", "data", "writer"),
    ("predict", "pages"),
    ("train", "explain", "serve", "bulk", "library", "similar", "bench"),
    ("compress", "tune"),
    ("cli",),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# Every package may raise our errors, say our version, and open lazily.
SHARED = ("errors", "_version", "_lazy")
# These open onto every floor: the lazy public names, and `python -m manyheads`.
FRONT_DOOR = {"__init__", "__main__"}
PEERS = (
    "transformers",
    "sentence_transformers",
    "accelerate",
    "datasets",
    "optimum",
    "openvino",
    "onnxruntime",
    "ktrain",
    "keras",
    "tensorflow",
    "curated_transformers",
    "simpletransformers",
    "flair",
)
# Modules that come with a declared dependency under other names, or that offer a convenience where
# they happen to be installed.
COMPANIONS = {"sklearn", "PIL", "zmq", "pydantic_core", "yaml", "opentelemetry", "mlflow"}
# pydantic and typer pass fields and options as keywords, and refuse those that they do not know; a
# wrapper has the parameters of what it wraps.
STRICT_KEYWORDS = {
    ("train/recipe.py", "__init__"),
    ("cli/unfold.py", "unfolding"),
    ("serve/model.py", "visit"),
}
# The folders of `tasks` that know another; what stands beside them knows none.
NEIGHBOURS = {"writing": {"language"}, "many": {"tagging", "answering"}}
LONGEST_FILE = 400
# Written as a pattern so that this file names no host itself.
REGISTRY = re.compile(
    r"\b(pypi|pythonhosted|huggingface|hf-mirror|anaconda|npmjs|tsinghua|aliyun)\.(org|co|com|edu)\b"
)


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(text, filename=name) for name, text in SOURCES.items()}


def package_of(name: str) -> str:
    """The package or module directly under manyheads that a file belongs to."""
    return name.split("/")[0].removesuffix(".py")


def imports(tree: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """Every (place, absolute module name) that is imported anywhere in a file."""
    here = ("manyheads", *name.split("/")[:-1])
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            modules = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            constants = [a.value for a in node.args if isinstance(a, ast.Constant)]
            modules = [value for value in constants if isinstance(value, str)]
        for module in modules:
            yield f"{name}:{node.lineno}", module


def all_imports() -> Iterator[tuple[str, str, str]]:
    """Every (file, place, module) of the package."""
    for name, tree in TREES.items():
        for place, module in imports(tree, name):
            yield name, place, module


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield name, node


def test_every_package_has_its_floor() -> None:
    packages = {package_of(name) for name in SOURCES}
    assert packages - FRONT_DOOR - {"_version", "_lazy"} <= set(FLOOR)
    assert {"core", "families", "hub", "text", "errors"} <= packages


def test_imports_go_down_only() -> None:
    offences = []
    for name, place, module in all_imports():
        package, parts = package_of(name), module.split(".")
        if package in FRONT_DOOR or parts[0] != "manyheads" or len(parts) == 1:
            continue
        if parts[1] == package or parts[1] in SHARED:
            continue
        if package in SHARED or FLOOR[parts[1]] >= FLOOR[package]:
            offences.append(f"{place} imports {module}")
    assert offences == []


def test_folders_of_tasks_know_what_all_share_and_few_others() -> None:
    folders = {name.split("/")[1] for name in SOURCES if re.match(r"tasks/\w+/", name)}
    offences = []
    for name, place, module in all_imports():
        parts = module.split(".")
        if name == "tasks/__init__.py" or package_of(name) != "tasks" or parts[1:2] != ["tasks"]:
            continue
        here, there = name.split("/")[1], "".join(parts[2:3])
        if there in folders - {here} - NEIGHBOURS.get(here, set()):
            offences.append(f"{place} imports {module}")
    assert {"tagging", "answering", "writing"} < folders
    assert offences == []


def files_by_what_they_import() -> dict[str, set[str]]:
    """Every file with those that it imports anywhere; what a package hands on is not followed."""
    files = {"manyheads." + name[:-3].replace("/", "."): name for name in SOURCES}
    graph: dict[str, set[str]] = {name: set() for name in SOURCES}
    for name, _, module in all_imports():
        if module in files:
            graph[name].add(files[module])
    return graph


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = files_by_what_they_import()
    assert "tasks/task.py" in graph["tasks/tagging/task.py"]
    assert "similar/map.py" in graph["similar/topic.py"]
    tuple(TopologicalSorter(graph).static_order())  # raises an error that names the circle
    with pytest.raises(CycleError, match="tasks/task"):
        graph["tasks/task.py"].add("tasks/tagging/task.py")
        tuple(TopologicalSorter(graph).static_order())


def test_peers_are_never_imported() -> None:
    assert [place for _, place, module in all_imports() if module.split(".")[0] in PEERS] == []


def test_everything_imported_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(r for extra in extras for r in extra)]
    declared = {re.split(r"[^\w-]", r)[0].replace("-", "_").lower() for r in requirements}
    known = declared | COMPANIONS | set(sys.stdlib_module_names) | {"manyheads"}
    unknown = [
        f"{place} imports {module}"
        for _, place, module in all_imports()
        if module.split(".")[0] not in known
    ]
    assert unknown == []


def test_a_file_is_read_in_one_sitting() -> None:
    lengths = {name: len(text.splitlines()) for name, text in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_tunnels_keyword_arguments() -> None:
    tunnels = [
        f"{name}:{node.lineno}"
        for name, node in functions()
        if node.args.kwarg and (name, getattr(node, "name", "lambda")) not in STRICT_KEYWORDS
    ]
    assert tunnels == []


def test_no_registry_is_named() -> None:
    assert [name for name, text in SOURCES.items() if REGISTRY.search(text)] == []


def test_nothing_is_left_to_do() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert [name for name, text in SOURCES.items() if unfinished.search(text)] == []


def test_what_is_public_says_what_it_is() -> None:
    silent = []
    for name, tree in TREES.items():
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for scope in (tree, *(node for node in classes if node.name[0] != "_")):
            for node in scope.body:
                public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
                if public and not ast.get_docstring(node):
                    silent.append(f"{name}:{node.lineno} {node.name}")
    assert silent == []


def test_the_rules_themselves_can_fail() -> None:
    """The walker sees imports at the top, inside functions, relative ones and by name."""
    code = (
        "import manyheads.cli\n"
        "from manyheads import train\n"
        "def f():\n"
        "    from ..hub import load\n"
        "    import importlib\n"
        "    importlib.import_module('manyheads.serve')\n"
    )
    found = {module for _, module in imports(ast.parse(code), "core/x.py")}
    assert found >= {"manyheads.cli", "manyheads.train", "manyheads.hub", "manyheads.serve"}
    assert REGISTRY.search("pypi" + ".org")

"""The folder that `manyheads train --out` writes: the predictor, pictures, and the run behind it.

DIR/manyheads.json, config.json, model.safetensors, …    the predictor, when training is over
DIR/report.html, training-curve.png, confusion-matrix.png   how good it is, and where it errs
DIR/README.md                                            a model card, unless there is one
DIR/run/arguments.json, recipe.json, facts.json          how the run was begun, and on what
DIR/run/checkpoints/                                     while it goes on
DIR/run/metrics.jsonl, report.json, report.txt           when it is over
DIR/fold-1/…, DIR/seed-0/…                               of several runs, each a folder like DIR
DIR/.replaced/                                           what was here before, until it is over
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli.facts import differences
from manyheads.cli.learning import SCRATCH
from manyheads.cli.output import Interrupted, notice, plain
from manyheads.errors import ConfigError

if TYPE_CHECKING:
    from manyheads.train import Evaluation, Learner, Trials

_MANIFEST = "manyheads.json"
_REPLACED = ".replaced"  # what the run before left, until the next one is over
_SAID = ("report.html", "training-curve.png", "confusion-matrix.png", "out-of-fold.jsonl")
_SHOWN_FILES = 3


class Progress(Enum):
    """How far the run in a folder is."""

    NONE = "none"
    BEGUN = "begun"
    FINISHED = "finished"


@dataclass(frozen=True)
class RunFolder:
    """The folder `out` of one run."""

    out: Path

    @property
    def run(self) -> Path:
        """Where the run keeps what only the run needs."""
        return self.out / "run"

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints' files, oldest first."""
        return sorted((self.run / "checkpoints").glob("step-*.safetensors"))

    @property
    def parts(self) -> list[str]:
        """The folders of several runs in here, by name: those over, or with a checkpoint."""
        found = (
            path
            for end in ("trial.json", "checkpoints/step-*")
            for start in ("fold", "seed")
            for path in self.out.glob(f"{start}-*/run/{end}")
        )
        names = {path.relative_to(self.out).parts[0] for path in found}
        return sorted(names, key=lambda name: (len(name), name))

    @property
    def progress(self) -> Progress:
        """How far the run in here is."""
        if (self.run / "report.json").is_file():
            return Progress.FINISHED
        return Progress.BEGUN if self.checkpoints or self.parts else Progress.NONE

    def require_ours(self) -> None:
        """Raise `ConfigError` where `out` holds anything but a run, so that nothing is mixed in."""
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"--out {self.out} is a file; name a folder")
        if (self.out / _MANIFEST).is_file() or self.run.is_dir() or not self.out.exists():
            return
        names = sorted(path.name for path in self.out.iterdir() if path.name[0] != ".")
        if names:
            rest = ", …" if len(names) > _SHOWN_FILES else ""
            raise ConfigError(
                f"--out {self.out} holds something other than a run of manyheads "
                f"({', '.join(names[:_SHOWN_FILES])}{rest}); name a new or an empty folder"
            )

    def require_same(self, arguments: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        """Raise `ConfigError` where the run in here was begun with other arguments."""
        changed = []
        # Earlier versions wrote paths down as they were typed.
        begun = (located(self._read("arguments.json")), self._read("recipe.json"))
        for saved, mine in zip(begun, (arguments, recipe), strict=True):
            changed += [
                f"{k}: {saved.get(k)!r} → {mine[k]!r}" for k in mine if saved.get(k) != mine[k]
            ]
        if changed:
            raise ConfigError(
                f"the run in {self.out} was begun differently ({'; '.join(changed)}); resume it "
                "with the same arguments, or begin anew without --resume"
            )

    def can_resume(
        self, arguments: Mapping[str, Any], recipe: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> bool:
        """Whether there is a run to go on with; raises `ConfigError` where it is another one."""
        if self.progress is Progress.NONE:
            notice(f"{self.out} holds no checkpoint to resume from; training begins from the start")
            return False
        self.require_same(arguments, recipe)
        require_same_data(self, facts)
        return True

    def begin(
        self,
        arguments: Mapping[str, Any],
        recipe: Mapping[str, Any],
        facts: Mapping[str, Any],
        *,
        has_parts: bool = False,
    ) -> None:
        """Put aside the run that was in here, and write down how the new one is begun.

        The predictor stays until the new one takes its place, file by file; one of several runs
        answers from where their folders are put aside. But several runs (`has_parts`) have none of
        their own in here.
        """
        self._restore()
        self.tidy()
        if self.progress is Progress.FINISHED:
            self._put_aside(with_predictor=has_parts)
        for folder in (self.run, *(self.out / part for part in self.parts)):
            shutil.rmtree(folder, ignore_errors=True)
        self.run.mkdir(parents=True)
        self._write("arguments.json", _json(arguments))
        self._write("recipe.json", _json(recipe))
        self._write("facts.json", _json(facts))

    def _put_aside(self, *, with_predictor: bool) -> None:
        """Move a finished run away; its predictor, where that stays, then answers from there."""
        from manyheads.predict.folder import FILES

        aside, manifest, parts = self.out / _REPLACED, self.out / _MANIFEST, self.parts
        aside.mkdir()
        mine = (self.run.name, *parts, *self._said())
        predictor = (*FILES, _MANIFEST) if with_predictor else ()
        for path in (self.out / name for name in (*mine, *predictor)):
            if path.exists():
                path.replace(aside / path.name)
        if parts and manifest.is_file():
            shutil.copy2(manifest, aside)
            _point_into_aside(manifest)

    @property
    def recipe(self) -> Path:
        """The file of the run's recipe."""
        return self.run / "recipe.json"

    def arguments(self) -> dict[str, Any]:
        """Return how the run was begun; raises `ConfigError` where no run is in here."""
        if not (self.run / "arguments.json").is_file():
            raise ConfigError(f"{self.out} holds no run of manyheads; name what --out of it was")
        return self._read("arguments.json")

    def facts(self) -> dict[str, Any]:
        """Return what the run was begun on: data, versions, threads."""
        return self._read("facts.json")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Leave all as it was where the block fails early, and say how to go on after Ctrl-C."""
        existed = self.out.exists()
        try:
            yield
        except KeyboardInterrupt:
            if self.parts:
                kept = ", ".join(self.parts)
                stop = f"the same command with --resume keeps what is in {kept}, and goes on"
            elif self.checkpoints:
                kept = self.checkpoints[-1].stem
                stop = f"the same command with --resume goes on from its checkpoint {kept}"
            else:
                stop = "no checkpoint was written yet, so the same command begins anew"
            raise Interrupted(stop) from None
        finally:
            if self.progress is Progress.NONE:
                shutil.rmtree(self.run, ignore_errors=True)
                self._restore()
                if not existed:
                    with suppress(OSError):
                        self.out.rmdir()

    def finish(self, learner: Learner, evaluation: Evaluation | None) -> None:
        """Write the report and the steps that led to it; the run is over when they are there."""
        steps = [{"kind": "step", **step} for step in learner.history.to_json()["steps"]]
        validations = [
            {"kind": "validation", "step": one.step, **one.scores}
            for one in learner.history.validations
        ]
        lines = [json.dumps(plain(one)) for one in (*steps, *validations)]
        self._write("metrics.jsonl", "\n".join(lines) + "\n")
        self.conclude(evaluation)

    def conclude(self, report: Evaluation | Trials | None) -> None:
        """Write the report of one run or of several, which are over with it."""
        self._write("report.txt", f"{report or ''}\n")
        self._write("report.json", _json(None if report is None else report.to_json()))
        self.tidy()

    def tidy(self) -> None:
        """Delete what a finished run needs no more, and what a killed process left half-written."""
        leftovers = [
            path
            for folder in (self.out, *(self.out / part for part in self.parts))
            for path in (*folder.glob(".saving-*"), *folder.glob("run/.*.partial"))
        ]
        for path in leftovers:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.progress is Progress.FINISHED:
            shutil.rmtree(self.run / "checkpoints", ignore_errors=True)
            shutil.rmtree(self.out / _REPLACED, ignore_errors=True)

    def report(self) -> str:
        """Return the report of the finished run for people."""
        return (self.run / "report.txt").read_text(encoding="utf-8").rstrip()

    def document(self) -> Any:
        """Return the report of the finished run as JSON values."""
        return json.loads((self.run / "report.json").read_text(encoding="utf-8"))

    def _said(self) -> tuple[str, ...]:
        """Return what is said of a run beside its predictor, but for what a person has written."""
        from manyheads.train.report.card import CARD, is_ours

        return (*_SAID, CARD) if is_ours(self.out / CARD) else _SAID

    def _restore(self) -> None:
        """Bring back the run that was put aside for one that came to nothing."""
        aside = self.out / _REPLACED
        if self.progress is Progress.NONE and aside.is_dir():
            shutil.rmtree(self.run, ignore_errors=True)
            for path in sorted(aside.iterdir(), key=lambda path: path.name == self.run.name):
                path.replace(self.out / path.name)  # the run last: it says that all is there
            aside.rmdir()

    def _read(self, name: str) -> dict[str, Any]:
        try:
            settings: dict[str, Any] = json.loads((self.run / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return settings

    def _write(self, name: str, text: str) -> None:
        from manyheads.hub.atomic import write_atomically

        write_atomically(self.run / name, text.encode("utf-8", errors="backslashreplace"))


def located(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with local files and folders named from the root, to be found anywhere."""
    found = dict(arguments)
    if (data := found.get("data")) is not None:
        found["data"] = str(Path(data).resolve())
    for name in ("valid", "test"):
        if (value := found.get(name)) is not None and not _is_number(value):
            found[name] = _from_root(value)
    model = found.get("model")
    # Like `hub.locate`: what is here goes before what is on the Hub.
    if model not in (None, SCRATCH) and Path(model).expanduser().exists():
        found["model"] = _from_root(model)
    return found


def _from_root(path: str) -> str:
    """Return a path from the root; a link keeps its own name, whose ending tells the format."""
    given = Path(path).expanduser()
    return str(given.parent.resolve() / given.name)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _point_into_aside(manifest: Path) -> None:
    """Let the predictor of several runs find their folders where they were put aside."""
    from manyheads.hub.atomic import write_atomically
    from manyheads.predict.folder import PARTS

    said = json.loads(manifest.read_text(encoding="utf-8"))
    said[PARTS] = [f"{_REPLACED}/{name}" for name in said.get(PARTS, ())]
    write_atomically(manifest, _json(said).encode())


def require_same_data(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Raise `ConfigError` where the data of a run in a folder are not those that facts tell of."""
    then = folder.facts().get("data", {})
    if then != facts["data"]:
        changed = ", ".join(differences(then, facts["data"])) or "nothing was noted"
        raise ConfigError(
            f"the data are not those of the run in {folder.out} ({changed}); give them as they were"
        )


def _json(value: Any) -> str:
    return json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n"

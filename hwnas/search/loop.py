"""The driver: asks an optimiser, evaluates what is new, stores it, tells the optimiser; and replays a run to go on where it stopped."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from device_profiles.errors import InputError, unknown
from hwnas.objectives import Constraint, Floats, as_constraints, as_objectives
from hwnas.provenance import provenance, seen_from
from hwnas.run import Run
from hwnas.search.algorithms import ALGORITHMS, AUTO, choose, make
from hwnas.search.base import Optimiser, Problem
from hwnas.search.budget import Budget, checked
from hwnas.search.evaluation import Evaluator
from hwnas.search.feasible import reachable
from hwnas.search.lock import run_lock
from hwnas.search.progress import Progress, Tracker
from hwnas.search.spec import check_same, hypervolume_reference, make_spec
from hwnas.search.workers import Workers, make_workers
from hwnas.spaces.base import Archs, SearchSpace
from hwnas.storage import Evaluation, Writer, to_text

#: Asks in a row that bring nothing new before the search ends: an optimiser may never notice that a space is exhausted.
BARREN = 200
#: Failures from the first evaluation on, without one success, that end a search: something is wrong with an objective, not with networks.
ALWAYS_FAILS = 20


def search(
    space: SearchSpace,
    objectives: Iterable[Any],
    constraints: Iterable[str | Constraint] = (),
    algorithm: str = "nsga2",
    evaluations: int | None = None,
    seed: int | None = None,
    *,
    out: str | Path,
    budget_s: float | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    extra_spec: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    workers: int = 1,
    timeout_s: float | None = None,
    ray: str | None = None,
) -> Run:
    """Search a space for the front of its objectives, into the run folder `out`.

    `objectives`: what `as_objective` takes. `constraints`: texts such as "latency_ms <= 20". `evaluations`: how many different
    architectures may be evaluated; those that violate a constraint on a cheap objective count, but cost nothing more. `budget_s`: how many
    seconds it may take, over all its sessions: no evaluation starts later. With both, what is spent first ends the search; with neither,
    200 evaluations do. `seed`: drawn and recorded when not given. `algorithm`: a name of `ALGORITHMS`, or "auto", which chooses one and
    records why. `progress` is called after every commit. The spec records where the objectives come from (`hwnas.provenance`);
    `extra_spec`: more keys for the run's spec (`device`, `command`, ...); all but `command` must be the same on resume. `options`: the
    algorithm's own, such as `{"population": 40}`.

    `workers`: how many expensive evaluations go on at a time, in processes of their own, or on the Ray cluster at the address `ray`
    ("local" starts one); the run does not depend on it. `timeout_s`: how long one expensive objective of one architecture may take
    before it counts as failed, as it does when its process dies.

    With `resume` a run that was killed goes on and ends with the same evaluations as one that was not; `evaluations` and `budget_s` may be
    raised, the evaluations that are there stay, failures included, and where there is no run yet it starts. Ctrl-c leaves a run that can
    be resumed.

    Raises InputError, before anything is written, for wrong arguments, for constraints that nothing meets, for a folder that holds a run
    already or another run, and for a folder on which another search works; later, when the first `ALWAYS_FAILS` architectures all fail, and
    at the end, when none was usable: the run is kept then.
    Raises DeviceError when the disk refuses.
    """
    given = list(objectives) if isinstance(objectives, Iterable) and not isinstance(objectives, str) else objectives
    extra = {**(provenance(given) if isinstance(given, list) else {}), **(extra_spec or {})}
    folder = Path(out)
    limits = checked(evaluations, budget_s)
    problem, spec = _prepare(space, given, constraints, algorithm, limits, seed, options or {}, seen_from(folder, extra))
    with make_workers(problem.objectives, workers, timeout_s, ray) as pool, _locked(folder):
        run = _opened(folder, problem, spec, resume)
        budget = Budget(*limits, before_s=float(run.spec.get("spent_s") or 0.0))
        optimiser = make(spec["algorithm"], problem, spec["seed"], spec["options"])
        with Writer(run.database) as writer:
            writer.set_spec(evaluations=budget.evaluations, budget_s=budget.seconds, stopped=None)
            loop = _Loop(problem, optimiser, run, writer, budget, pool, progress)
            stopped = loop.run()
            writer.set_spec(stopped=stopped, spent_s=budget.spent_s)
    loop.verdict()
    return run


def _opened(folder: Path, problem: Problem, spec: dict[str, Any], resume: bool) -> Run:
    """The run of a folder, when it is the one asked for, or a new one; `spec` gets the seed that is recorded, or drawn."""
    there = Run.exists(folder)
    if there and not resume:
        raise InputError(f"{folder} holds a run already: pass --resume to go on with it, or choose another --out")
    if there:
        run = Run.open(folder)
        spec["seed"] = check_same(run, spec)
        return run
    if spec["seed"] is None:
        spec["seed"] = int.from_bytes(os.urandom(4), "big")
    return Run.create(folder, spec, problem.objectives)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The run folder, made if it is not there, held against other searches."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the run folder {folder}: {error.strerror}") from error
    with run_lock(folder):
        yield


def _prepare(
    space: SearchSpace, objectives: Iterable[Any], constraints: Iterable[str | Constraint], algorithm: str,
    limits: tuple[int | None, float | None], seed: int | None, options: Mapping[str, Any], extra: Mapping[str, Any],
) -> tuple[Problem, dict[str, Any]]:  # fmt: skip
    """Everything that can be refused is refused here, before the disk is touched."""
    if algorithm not in (*ALGORITHMS, AUTO):
        raise unknown("algorithm", algorithm, (*ALGORITHMS, AUTO))
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise InputError(f"a seed is a whole number of at least 0, got {seed!r}")
    described = as_objectives(objectives, space)
    problem = Problem(space, described, as_constraints(constraints, described))
    why: dict[str, str] = {}
    if algorithm == AUTO:
        algorithm, why["chosen_because"] = choose(problem)
    spec = make_spec(problem, algorithm, options, limits, seed, {**extra, **why})
    make(algorithm, problem, 0, spec["options"])
    problem.feasible_sampler.check()
    return problem, {**spec, "hypervolume_reference": hypervolume_reference(problem), "stopped": None}


class _Loop:
    """One pass from the first ask to the last; what is stored already is told again, not evaluated again."""

    def __init__(
        self, problem: Problem, optimiser: Optimiser, run: Run, writer: Writer, budget: Budget, workers: Workers,
        progress: Callable[[Progress], None] | None,
    ) -> None:  # fmt: skip
        self.problem, self.optimiser, self.path = problem, optimiser, run.path
        self.writer, self.budget, self.progress = writer, budget, progress
        self.total = problem.space.size if budget.evaluations is None else budget.evaluations
        self.clocked_s = budget.spent_s
        self.evaluator = Evaluator(problem, workers)
        self.tracker = Tracker(problem, run.hypervolume_reference)
        self.stored = {row.architecture: row for row in run.rows()}
        self.by_id = {row.id: row.architecture for row in self.stored.values()}
        self.rows: dict[tuple[int, ...], Evaluation] = {}
        self.works = False

    def run(self) -> str:
        """Evaluate until the budget is spent or nothing new comes; returns why it ended."""
        barren = 0
        while len(self.rows) < self.total:
            if len(self.rows) == self.problem.space.size:
                return f"exhausted: all {len(self.rows)} architectures of the space were evaluated"
            # Always the full batch, so that a larger budget continues a smaller one; what is beyond the budget is not evaluated.
            asked = self.optimiser.ask(self.optimiser.batch)
            if len(asked) == 0:
                return f"exhausted: {type(self.optimiser).__name__} has nothing more to propose"
            before = len(self.rows)
            answered, complete = self._answer(self.problem.space.canonical(asked))
            if not complete:
                return f"budget: {self.budget.seconds:g} s, {len(self.rows)} evaluations"
            self.optimiser.tell(answered, *self._told(answered))
            barren = barren + 1 if len(self.rows) == before else 0
            if barren == BARREN:
                return f"exhausted: {BARREN} asks in a row brought nothing new"
        return f"budget: {self.total} evaluations"

    def _answer(self, asked: Archs) -> tuple[Archs, bool]:
        """Look up or evaluate what is new in `(n, n_choices)` architectures; returns the rows that have an answer now.

        The second value is False when the time was up before all were evaluated.
        """
        keys = [tuple(row) for row in asked.tolist()]
        new = [key for key in dict.fromkeys(keys) if key not in self.rows][: self.total - len(self.rows)]
        ids = {key: number for number, key in enumerate(new, len(self.rows) + 1)}
        known = [key for key in new if key in self.stored]
        fresh = [key for key in new if key not in self.stored]
        if known:
            self._note(self._replay(known, ids))
        for key in fresh:
            if ids[key] in self.by_id:
                raise self._diverged(ids[key], key)
        complete = not fresh or self._evaluate(fresh, [ids[key] for key in fresh])
        return asked[[key in self.rows for key in keys]], complete

    def _evaluate(self, fresh: Sequence[tuple[int, ...]], ids: Sequence[int]) -> bool:
        """Evaluate and store architectures: each row is committed as soon as it comes, and noted once those before it have come.

        Returns False when the time is up before the last one.
        """
        if self.budget.time_is_up:
            return False
        left, came = deque(fresh), dict[tuple[int, ...], Evaluation]()
        for rows in self.evaluator(ids, np.array(fresh, dtype=np.int64)):
            self.writer.add(rows)
            came.update((row.architecture, row) for row in rows)
            ready: list[Evaluation] = []
            while left and left[0] in came:
                ready.append(came.pop(left.popleft()))
            if ready:
                self._note(ready)
            self._clock()
            if left and self.budget.time_is_up:
                return False
        return True

    def _clock(self) -> None:
        """Records the time that was spent, at most once a second, so that a killed run knows it when it goes on."""
        if self.budget.spent_s - self.clocked_s >= 1.0:
            self.clocked_s = self.budget.spent_s
            self.writer.set_spec(spent_s=self.clocked_s)

    def _replay(self, known: Sequence[tuple[int, ...]], ids: Mapping[tuple[int, ...], int]) -> list[Evaluation]:
        """Stored rows, after a check that they are what this search would have stored: same order, same cheap objectives."""
        rows = [self.stored[key] for key in known]
        for row in rows:
            if row.id != ids[row.architecture]:
                raise self._diverged(ids[row.architecture], row.architecture)
        for row, (now, _) in zip(rows, self.evaluator.cheap(np.array(known, dtype=np.int64)), strict=True):
            for objective, before, after in zip(self.problem.objectives, row.estimates, now, strict=True):
                if before and after and not np.isclose(before[0], after[0], rtol=1e-9, atol=0.0):
                    was = f"{before[0]:.6g} for {to_text(row.architecture)}, now {after[0]:.6g}"
                    raise InputError(
                        f"{self.path} was made with another {objective.name}: {was}; resume it with that, or choose another --out"
                    )
        return rows

    def _diverged(self, number: int, asked: tuple[int, ...]) -> InputError:
        stored = self.by_id.get(number)
        holds = to_text(stored) if stored else "something else"
        made = Run(self.path).spec["versions"]
        return InputError(
            f"{self.path} cannot be resumed: evaluation {number} is {holds} there, but this search comes to {to_text(asked)}; "
            f"it was made with other versions: {', '.join(f'{k} {v}' for k, v in sorted(made.items()))}"
        )

    def _note(self, rows: Sequence[Evaluation]) -> None:
        """Count committed rows, report, and stop a search in which nothing works."""
        self.rows.update((row.architecture, row) for row in rows)
        self.tracker.add(rows)
        if self.progress is not None:
            self.progress(self.tracker.report(self.budget))
        # What violates a constraint on an expensive objective shows that the objectives work, as what is usable does.
        self.works = self.works or any(row.status != "failed" and None not in row.estimates for row in rows)
        failures = self.tracker.counts["failed"]
        if failures >= ALWAYS_FAILS and not self.works:
            raise InputError(f"the search stopped, for its first {failures} architectures all failed: {self.tracker.first_error}")

    def _told(self, archs: Archs) -> tuple[Floats, Floats]:
        """What the optimiser learns: values in minimisation form and violations, the same whether computed now or stored."""
        rows = [self.rows[tuple(row)] for row in archs.tolist()]
        values = np.array([row.numbers()[:, 0] for row in rows]) * self.problem.signs
        violation = [self.evaluator.violation(row.estimates) if row.status == "infeasible" else 0.0 for row in rows]
        return values, np.array(violation)

    def verdict(self) -> None:
        """Raise InputError when no architecture is usable: with the bound that the nearest one meets, or with the first failure."""
        counts = self.tracker.counts
        if counts["ok"] > 0:
            return
        if not self.rows and self.budget.time_is_up:
            raise InputError(f"{self.budget.seconds:g} s were over before the first evaluation: give it more time and resume")
        if not self.rows:
            raise InputError(f"{type(self.optimiser).__name__} proposed no architecture at all")
        texts = []
        infeasible = [row for row in self.rows.values() if row.status == "infeasible"]
        if infeasible:
            nearest = min(infeasible, key=lambda row: self.evaluator.violation(row.estimates))
            known = {o.name: e[0] for o, e in zip(self.problem.objectives, nearest.estimates, strict=True) if e}
            broken = [c for c in self.problem.constraints if c.name in known and c.violation([known[c.name]])[0] > 0]
            offers = " and ".join(reachable(c, known[c.name]) for c in broken)
            wanted = " and ".join(map(str, self.problem.constraints))
            texts.append(f"{len(infeasible)} do not meet {wanted} (the nearest would meet {offers})")
        if counts["failed"]:
            texts.append(f"{counts['failed']} failed ({self.tracker.first_error})")
        raise InputError(f"none of the {len(self.rows)} architectures evaluated is usable: {'; '.join(texts)}")

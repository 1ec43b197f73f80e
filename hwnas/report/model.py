"""What a page shows, as plain data: nothing here knows files, plotly or HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from device_profiles.quantity import Quantity
from hwnas.report.architectures import Description
from hwnas.report.formats import UNKNOWN, decimals, number


@dataclass(frozen=True, slots=True)
class Objective:
    """What was searched for: its name in the run, how it is called on the page, and how its numbers are written.

    `factor` turns the stored number into the shown one: 100 for an accuracy that is stored as a share. `device` is the one of several that
    it is about, `worst` for the worst of them.
    """

    name: str
    label: str
    unit: str
    maximize: bool
    factor: float = 1.0
    device: str = ""

    @property
    def is_percent(self) -> bool:
        """Whether numbers are shown in percent."""
        return self.unit == "%"

    @property
    def axis(self) -> str:
        """The title of an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def is_time(self) -> bool:
        """Whether less means faster."""
        return self.label.split(" on ")[0] == "Latency"

    def bare(self, value: float) -> str:
        """A value without its unit: `97.2`, `0.0520`."""
        return f"{value * self.factor:.1f}" if self.is_percent else number(value * self.factor)

    def text(self, value: float | None) -> str:
        """A value with its unit: `97.2 %`, `0.0520 ms`."""
        return UNKNOWN if value is None else f"{self.bare(value)} {self.unit}".rstrip()

    def interval(self, quantity: Quantity | None) -> str:
        """The bounds of the interval with as many decimals as the value, or an empty text when there is none."""
        if quantity is None or quantity.low == quantity.high:
            return ""
        places = 1 if self.is_percent else decimals(quantity.value * self.factor)
        low, high = (f"{bound * self.factor:,.{places}f}" for bound in (quantity.low, quantity.high))
        return f"{low}–{high}"

    def full(self, quantity: Quantity | None) -> str:
        """Value, unit and interval in one text: `0.0520 ms (0.0498–0.0551)`."""
        interval = self.interval(quantity)
        text = self.text(None if quantity is None else quantity.value)
        return f"{text} ({interval})" if interval else text


@dataclass(frozen=True, slots=True)
class Link:
    """A file beside the page: its relative address, its name and its size in bytes."""

    href: str
    name: str
    size: int


@dataclass(frozen=True)
class Point:
    """One evaluated architecture: what the search saw (`values`), what was learned later (`extras`), what it is on the device.

    `measured` is the re-measured cost on the axis. Quantities are in the units of the run, not in those of the page. `number` is the
    position in `run.front()`, which `hwnas export --pick` takes.
    """

    architecture: tuple[int, ...]
    values: Mapping[str, Quantity]
    extras: Mapping[str, Quantity] = field(default_factory=dict)
    measured: Quantity | None = None
    description: Description = field(default_factory=Description)
    model: Link | None = None
    number: int = 0
    #: P(on the front), see `hwnas.chances`.
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One re-measured architecture: predicted and measured; `role` is `front`, `former` (of an earlier front) or `random`."""

    architecture: tuple[int, ...]
    role: str
    predicted: Quantity
    measured: Quantity

    @property
    def error(self) -> float:
        """Relative error of the prediction, with its sign."""
        return self.predicted.value / self.measured.value - 1 if self.measured.value else 0.0


@dataclass(frozen=True)
class Verification:
    """What `hwnas verify` found. Shares are 0 to 1; scores that were not computed are left out."""

    passed: bool
    reasons: Sequence[str]
    pairs: Sequence[Pair]
    scores: Mapping[str, float]
    ceiling: Mapping[str, float]
    violated: Sequence[str]
    #: Time of the canaries against that in the profile, when both were measured.
    drift: Quantity | None = None
    #: The scores of the search's own predictions, and the rounds of measuring, when the predictor was corrected in between.
    searched: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of the cost ledger."""

    name: str
    seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class Course:
    """Hypervolume of the front found so far, after each number of evaluations."""

    evaluations: Sequence[int]
    hypervolume: Sequence[float]


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit of the super-network found: what its numbers are, the numbers by what was compared, and what else there is to say."""

    heading: str
    rankings: Sequence[tuple[str, str]]
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the page cannot show: what, and the command that adds it (may be empty)."""

    what: str
    command: str = ""


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. `front` is sorted by `cost`, and `knee` is an index into it; `gain` and `cost` are the axes of the figure.

    `references` is the front of the hand-made networks of the space. `command` is the run's path as a shell takes it; `counts` has the
    number of evaluations by status; `partial` says that objectives of other devices were left out, `recorded` that all numbers come from a
    table: there is nothing to time and no network to export.
    """

    name: str
    command: str
    facts: Sequence[tuple[str, str]]
    device: str
    when: str
    objectives: Sequence[Objective]
    gain: Objective | None
    cost: Objective | None
    front: Sequence[Point] = ()
    knee: int = 0
    evaluated: Sequence[Point] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    errors: Sequence[tuple[str, int]] = ()
    baseline: Sequence[Point] = ()
    references: Sequence[Point] = ()
    search_course: Course | None = None
    baseline_course: Course | None = None
    reference: str = ""
    verification: Verification | None = None
    audit: Audited | None = field(default=None, kw_only=True)
    phases: Sequence[Phase] = ()
    provenance: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    files: Sequence[Link] = ()
    models: Sequence[Link] = ()
    missing: Mapping[str, Missing] = field(default_factory=dict)
    partial: bool = False
    recorded: bool = False

    @cached_property
    def test(self) -> Objective | None:
        """How test accuracy is written: as the gain, under its own name; None when no point of the front has it."""
        if self.gain is None or not any(f"test_{self.gain.name}" in p.extras for p in self.front):
            return None
        return Objective(f"test_{self.gain.name}", f"Test {self.gain.label.lower()}", self.gain.unit, self.gain.maximize, self.gain.factor)

    @cached_property
    def trained(self) -> Objective | None:
        """The same for test accuracies of points that were trained on their own; None when no point of the front was."""
        if self.gain is None or not any(f"finetuned_test_{self.gain.name}" in p.extras for p in self.front):
            return None
        label = f"Test {self.gain.label.lower()}, trained alone"
        return Objective(f"finetuned_test_{self.gain.name}", label, self.gain.unit, self.gain.maximize, self.gain.factor)

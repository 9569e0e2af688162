"""What planning gains over the best equal protection, the losses known, halved and doubled."""

from __future__ import annotations

from experiments.case import Conditions, System
from experiments.experiment import Experiment
from experiments.page.runner import Runner, Section, command_of, target
from experiments.plots import axes_of, draw_planning
from experiments.results import Results
from experiments.tables import interval, markdown, note_of, percent

FILE = "planning_sweep.toml"
ASSUMED = {1.0: "known", 0.5: "half assumed", 2.0: "double assumed"}


def section(runner: Runner) -> Section:
    """Both protections tuned for quality over time, and once more for quality at the deadline."""
    by_area = runner.read(FILE, objective="area")
    results = {objective: runner.run(runner.read(FILE, objective=objective)) for objective in ("area", "final")}
    known = [c for c in by_area.conditions if c.assumed == 1]
    planned, equal = by_area.systems[:2]
    means = {
        figure: sum(results[objective].gain(planned, equal, c, figure).mean for c in known) / len(known)
        for objective, figure in (("area", "area"), ("final", "psnr"))
    }
    shown = [sum(results["area"].mean(s, c, "shown").mean for c in known) / len(known) for s in (planned, equal)]
    axis = axes_of(by_area, 1.0)["1"]
    figures = {"planning.png": draw_planning(by_area.systems, axis, results["area"])}
    text = f"""\
The same packets, bytes and deadline, protected as planned (`auto`) or equally. Equal protection has the redundancy,
block length, interleaving depth and packet size that are best on the tuning photos by the losses that are believed in,
and sends parity as long as there is time. {note_of(by_area)}

{
        target(
            "more than 0 dB with the losses known, aim 1 dB, goal 2 dB",
            f"mean of EP4 to EP6, losses known: {means['psnr']:+.2f} dB at the deadline, {means['area']:+.2f} dB over "
            f"time, pictures in {percent(shown[0])} of the runs, by equal protection {percent(shown[1])}",
        )
    }

{_table(by_area, results, planned, equal)}

PSNR at the deadline is that of systems planned and tuned for it; the other columns, and the plot, are of those for
quality over time.

![Gain of planning](planning.png)

{command_of(FILE)}"""
    return Section("Planned beside equal protection", text, figures)


def _table(experiment: Experiment, results: dict[str, Results], planned: System, equal: System) -> str:
    def row(c: Conditions) -> list[str]:
        shown = [percent(results["area"].mean(system, c, "shown").mean) for system in (planned, equal)]
        return [
            f"{c.channel}, losses {ASSUMED.get(c.assumed, f'times {c.assumed:g}')}",
            interval(results["final"].gain(planned, equal, c, "psnr")),
            interval(results["area"].gain(planned, equal, c, "area")),
            interval(results["area"].gain(planned, equal, c, "area_low")),
            *shown,
        ]

    header = ("", "PSNR at deadline (dB)", "over time (dB)", "over time, worst 5 % (dB)", "pictures, planned", "equal")
    return markdown(header, [row(c) for c in experiment.conditions])

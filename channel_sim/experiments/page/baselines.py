"""Every source with every delivery: how soon a picture can be recognised, and quality over time."""

from __future__ import annotations

from channel_sim.experiments.case import Conditions, System
from channel_sim.experiments.experiment import Experiment
from channel_sim.experiments.page.runner import Runner, Section, command_of, target
from channel_sim.experiments.plots import draw_over_time, in_words
from channel_sim.experiments.results import Results
from channel_sim.experiments.tables import interval, note_of, systems_table

FILE = "systems.toml"
DRAWN_DELIVERIES = ("planned", "equal")


def section(runner: Runner) -> Section:
    """A table and a plot for each channel."""
    experiment = runner.read(FILE)
    results = runner.run(experiment)
    figures, parts = {}, [_introduction(experiment)]
    for number, conditions in enumerate(experiment.conditions, 1):
        name = f"over_time_{number}.png"
        figures[name] = draw_over_time(_drawn(experiment, conditions, results), conditions, results)
        parts += [
            f"### {in_words(conditions)}",
            _sentence(experiment, conditions, results),
            systems_table(experiment, results, conditions),
            f"![Quality over time]({name})",
        ]
    return Section("Beside what people use", "\n\n".join([*parts, command_of(FILE)]), figures)


def _introduction(experiment: Experiment) -> str:
    return f"""\
All systems send the same bytes in packets with the same headers, until the same deadline, and meet the same fates.
Quality, redundancy, block length, interleaving depth and packet size of each are searched jointly on tuning photos
with the same knowledge of the channel, then frozen. Progressive formats are shown at every prefix that their decoders
accept, of WebP the rows that have come, AVIF when all of it is there; `avif-thumbnail` is a small AVIF, then the whole.
`retransmission` sends every lost packet again after a round trip by perfect feedback, which no other system here has.
{note_of(experiment)}"""


def _sentence(experiment: Experiment, conditions: Conditions, results: Results) -> str:
    ours = experiment.systems[0]
    others = [s for s in experiment.systems if s.source != ours.source]
    soonest = min(others, key=lambda s: results.mean(s, conditions, "recognisable_s").mean)
    best = max(others, key=lambda s: results.mean(s, conditions, "area").mean)
    one_way = [s for s in others if s.delivery != "retransmission"]
    best_one_way = max(one_way, key=lambda s: results.mean(s, conditions, "area").mean)
    own_s = results.mean(ours, conditions, "recognisable_s").mean
    soonest_s = results.mean(soonest, conditions, "recognisable_s").mean
    gain = results.gain(ours, best, conditions, "area")
    behind = [s for s in others if results.gain(ours, s, conditions, "area").mean <= 0]
    later = [s for s in others if results.mean(s, conditions, "recognisable_s").mean <= own_s]
    measured = (
        f"`{ours}` can be recognised after {own_s:.2f} s, the soonest other, `{soonest}`, after {soonest_s:.2f} s "
        f"({soonest_s / own_s:.2f} times as long); its PSNR over time is {interval(gain)} dB above the best other, "
        f"`{best}`, and {interval(results.gain(ours, best_one_way, conditions, 'area'))} dB above the best other "
        f"without feedback, `{best_one_way}`; "
        + (f"over time {_names(behind)} not behind it" if behind else "over time every other is behind it")
        + (f"; {_names(later)} recognised as soon" if later else "")
    )
    return target("ahead of every baseline in time to MS-SSIM 0.8 and in quality over time", measured)


def _names(systems: list[System]) -> str:
    return ", ".join(f"`{system}`" for system in systems) + (" is" if len(systems) == 1 else " are")


def _drawn(experiment: Experiment, conditions: Conditions, results: Results) -> list[System]:
    """Ours with every delivery, and of every other source its best one without feedback."""
    first = experiment.systems[0].source
    drawn = [system for system in experiment.systems if system.source == first]
    for source in experiment.sources[1:]:
        own = [s for s in experiment.systems if s.source == source and s.delivery in DRAWN_DELIVERIES]
        drawn.append(max(own, key=lambda s: results.mean(s, conditions, "area").mean))
    return drawn

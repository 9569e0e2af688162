"""One stream for eight receivers."""

from __future__ import annotations

from experiments.broadcast_results import BroadcastResults, broadcast_note, broadcast_table, draw_broadcast
from experiments.page.runner import Runner, Section, command_of, target
from experiments.tables import percent

FILE = "broadcast.toml"

PROTECTIONS = {
    "none": "every packet once",
    "auto": "parity as planned, most for what the picture needs first",
    "pet": "stripes, any packet of which serves as well as another",
}
"""What the candidates of the broadcast are, by the first word of their names."""


def section(runner: Runner) -> Section:
    """A table and a plot for each channel."""
    results = runner.broadcast(FILE)
    made = results.broadcast
    figures, parts = {}, [broadcast_note(made)]
    for number, channel in enumerate(made.channels, 1):
        name = f"broadcast_{number}.png"
        figures[name] = draw_broadcast(results, channel)
        parts += [
            f"### `{channel}`",
            _sentence(results, channel),
            broadcast_table(results, channel),
            f"![PSNR against SNR]({name})",
        ]
    return Section(made.title, "\n\n".join([*parts, command_of(FILE)]), figures)


def _sentence(results: BroadcastResults, channel: str) -> str:
    gap, simulcast = results.gap(channel), results.gap(channel, "simulcast")
    chosen = dict.fromkeys(record["policy"].split()[0] for record in results.of(channel))
    policies = [f"`{policy}` ({PROTECTIONS[policy]})" for policy in chosen]
    return (
        target(
            "mean gap to each receiver's own stream at most 0.7 dB, goal 0.4 dB; at most 45 % of the simulcast's bytes",
            f"{gap.in_words('.2f', ' dB')} with {percent(results.share_of_simulcast(channel))} of the bytes",
        )
        + f" The simulcast, with all of its bytes, is {simulcast.mean:+.2f} dB from the broadcast. Protection of "
        f"the broadcast, chosen photo by photo: {', '.join(policies)}. Gap between ideal codes: "
        f"{results.ideal(channel):.2f} dB."
    )

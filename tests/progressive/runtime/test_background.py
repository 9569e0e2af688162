import asyncio
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import typer

from progressive.runtime.background import Background, in_background, is_computing
from progressive.shell import cli


def test_jobs_are_done_one_after_the_other_and_waited_for() -> None:
    done: list[int] = []
    with Background() as background:
        futures = [background.submit(done.append, number) for number in range(5)]
    assert done == list(range(5))
    assert all(future.done() for future in futures)


async def test_what_a_job_raises_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_background(divmod, 1, 0)
    assert await in_background(divmod, 7, 2) == (3, 1)


def test_what_computes_is_not_waited_for_by_who_is_stopped() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def compute() -> None:
        begun.set()
        go_on.wait(20)

    background = Background()
    job, next_job = background.submit(compute), background.submit(compute)
    assert begun.wait(20)
    with suppress(KeyboardInterrupt), background:
        raise KeyboardInterrupt
    assert not job.done()
    assert next_job.cancelled()
    assert is_computing()
    go_on.set()
    job.result(20)
    background._thread.join(20)
    assert not is_computing()


def test_a_thread_that_waits_for_a_job_does_not_compute() -> None:
    with Background() as background:
        assert background.submit(is_computing).result(20)
        assert not background.computes
        assert background.submit(is_computing).result(20)


def test_a_stopped_program_ends_although_something_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[int] = []

    def leave(status: int) -> None:
        ended.append(status)
        raise SystemExit(status)

    def compute() -> None:
        begun.set()
        go_on.wait(20)

    async def work() -> None:
        computing = asyncio.create_task(in_background(compute))
        await asyncio.to_thread(begun.wait, 20)
        assert not computing.done()
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(lambda: asyncio.run(work()))
    monkeypatch.setattr("sys.argv", ["program"])
    monkeypatch.setattr(cli, "is_computing", is_computing)
    monkeypatch.setattr(cli.os, "_exit", leave)
    with pytest.raises(SystemExit):
        cli.run(app)
    go_on.set()
    assert ended == [130]


def test_a_program_that_ends_lets_what_computes_finish() -> None:
    script = (
        "import time; from progressive.runtime.background import Background; "
        "Background().submit(lambda: (time.sleep(0.3), print('finished'))); time.sleep(0.1)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "finished\n"

"""Many independent calls of one function: on processes of this machine by joblib, or on a Dask cluster.

Results come in the order in which they are finished. A worker that dies takes its calls with it; they are made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from joblib import Parallel, delayed, parallel_config

from progressive.errors import RunError, UsageError

if TYPE_CHECKING:
    from distributed import Client

DEATHS = 3
"""How many times workers may die before the run is given up: chance and a full memory pass, a fault comes again."""

CONNECT_S = 10.0


class Workers(Protocol):
    """Where calls are made."""

    def finish(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Makes all calls, yields the number and the result of each when it is there.

        The function stands at the top of a module. Raises RunError if workers die again and again.
        """
        ...


class LocalWorkers:
    """Processes of this machine; a single one works in this process."""

    def __init__(self, count: int) -> None:
        self.count = count

    def finish(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        left, deaths = dict(enumerate(calls)), 0
        while left:
            try:
                with parallel_config("loky", n_jobs=self.count, inner_max_num_threads=1):
                    made = Parallel(return_as="generator_unordered", batch_size=1)(
                        delayed(_numbered)(function, number, call) for number, call in list(left.items())
                    )
                for number, result in made:
                    del left[number]
                    yield number, result
            except TerminatedWorkerError:
                deaths += 1
                if deaths == DEATHS:
                    raise _given_up(left.values()) from None


class DaskWorkers:
    """A cluster, by the address of its scheduler: every worker needs this project, and the photos at the same paths.

    Calls are submitted one by one rather than by joblib's backend, which waits for ever for a call whose workers died.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def finish(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        from distributed import KilledWorker, as_completed

        left, deaths = dict(enumerate(calls)), 0
        while left:
            futures = [self._client.submit(_numbered, function, n, call, pure=False) for n, call in left.items()]
            try:
                for future in as_completed(futures, loop=self._client.loop):
                    number, result = future.result()
                    del left[number]
                    yield number, result
            except KilledWorker:
                deaths += 1
                if deaths == DEATHS:
                    raise _given_up(left.values()) from None
            finally:
                self._client.cancel(futures)


@contextmanager
def workers_at(address: str | None, count: int) -> Iterator[Workers]:
    """Those of the Dask cluster whose scheduler has this address, or so many processes if there is none.

    Raises UsageError if Dask is not installed, nobody answers there, or the cluster cannot work for this project.
    """
    if address is None:
        yield LocalWorkers(count)
        return
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--dask needs the extra 'dask': pip install 'progressive[dask]'") from None
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler at {address}: {error or 'no answer'}") from None
    with client:
        _check_cluster(client, address)
        yield DaskWorkers(client)


def _check_cluster(client: Client, address: str) -> None:
    """Raises UsageError unless a worker is there, and scheduler and workers know this project."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
        client.submit(_numbered, abs, 0, (1,), pure=False).result()
    except TimeoutError:
        raise UsageError(f"the Dask cluster at {address} has no workers: start some") from None
    except (ImportError, RuntimeError) as error:
        advice = "install this project, in the same versions, on its scheduler and workers"
        raise UsageError(f"the Dask cluster at {address} does not know this project: {advice} ({error})") from None


def _numbered(function: Callable[..., Any], number: int, call: tuple[Any, ...]) -> tuple[int, Any]:
    return number, function(*call)


def _given_up(left: Any) -> RunError:
    return RunError(
        f"workers died {DEATHS} times, {len(left)} calls are left: use fewer workers if memory is short; what is "
        "finished is kept"
    )

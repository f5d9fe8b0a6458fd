"""Build jobs that a test runs one step at a time: each is a thread that waits before each of its outside calls."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from millrace.build.job import Outcome
from millrace.build.lease import Lease, LeaseLost

_STUCK_S = 60.0  # of real time


class Died(BaseException):
    """The process is gone: none of its code runs any more, no `finally` either."""


class Job:
    """One job on a machine of its own; it runs only during `go`."""

    def __init__(self, holder: str, skew_s: int, work: Callable[["Job"], Outcome]) -> None:
        self.holder = holder
        self.skew_s = skew_s
        self.lease: Lease | None = None
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.is_over = self.is_dead = self.is_failing = False
        self.at = "begin"
        self._work = work
        self._goes, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=holder, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._goes.acquire()
        try:
            self.outcome = self._work(self)
        except BaseException as error:  # noqa: BLE001 the test checks it
            self.error = error
        finally:
            self.is_over = True
            self._stands.release()

    def stand(self, at: str) -> None:
        """Wait before a call until the test releases the job; the heartbeat is not stopped."""
        if threading.current_thread() is not self._thread:
            return
        self.at = at
        if not self.is_dead:
            self._stands.release()
            self._goes.acquire()
        if self.is_dead:
            raise Died

    def go(self) -> None:
        """Run it to its next wait, or to its end."""
        if not self.is_over:
            self._goes.release()
            assert self._stands.acquire(timeout=_STUCK_S), f"{self.holder} is stuck"

    def go_to(self, place: str, most: int) -> None:
        """Run it until it waits before `place`, or is over, or has taken `most` more steps."""
        self.go()
        for _ in range(most):
            if self.at != place:
                self.go()

    def die(self) -> None:
        """End it without another call."""
        self.is_dead, self.lease = True, None
        self.go()

    def beat(self) -> None:
        """Renew the lease as the heartbeat does, unless the job waits during a renewal."""
        if self.lease is not None and not self.lease._lock.locked():
            try:
                self.lease.renew()
            except LeaseLost:
                self.lease = None  # the heartbeat notices, and stops

    @contextmanager
    def beating(self, lease: Lease) -> Iterator[None]:
        """Act as the heartbeat of a Builder."""
        self.lease = lease
        try:
            yield
        finally:
            self.lease = None

    def around(self, target: object, noting: Callable[[str, Any], None] = lambda name, given: None) -> Any:
        """Return the same object; the job waits before each call, and `noting` is called after each successful one."""
        return _Standing(target, self, noting)

    def join(self) -> None:
        """Wait for the thread of a job that is over."""
        with suppress(RuntimeError):
            self._thread.join(_STUCK_S)


class _Standing:
    def __init__(self, target: object, job: Job, noting: Callable[[str, Any], None]) -> None:
        self._target, self._job, self._noting = target, job, noting

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def called(*arguments: Any, **named: Any) -> Any:
            self._job.stand(name)
            result = value(*arguments, **named)
            self._noting(name, arguments[0] if arguments else None)
            return result

        return called

"""The platform, made deterministic: it delivers messages, runs one handler at a time, and injects faults.

Handlers are real threads, but only the chosen one runs, and it stops only at calls of an adapter. So
a list of choices always repeats the same interleaving.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from tests.proofs.faults.boundaries import Crashed, outcomes
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.nature import Ailment, Clock, Handler, Message, Nature, Violation

from millrace.errors import MillraceError

T = TypeVar("T")
Agenda = deque[tuple[str, Callable[[], None]]]
_TICK_S = 0.01  # every call takes time
_SKEWS_S = (0, 400, -400)  # of a handler's clock; two of them differ by less than MOST_AHEAD
_PAUSE_S = 1200.0  # longer than any lease
_MOST_COPIES = 5
_SLOW = (0, 15, 100)  # decisions for which only other handlers run, if they can
_STARVED_S = 49.0  # without a turn for most of a lease's life (60 s; others wait in steps of 10 s), it slept to others
_STUCK_S = 300.0  # of real time, also on a busy machine
_MOST_ATTEMPTS = 60
_MOST_STEPS = 60_000
_MOST_FAULTS = 25


class Scheduler:
    """Runs an agenda to its end: until nothing is pending and `recover` finds nothing that was lost."""

    def __init__(self, choices: Choices, clock: Clock, handle: Callable[[Message], None]) -> None:
        self.choices = choices
        self.clock = clock
        self.nature = Nature(choices)
        self.crossed: Counter[tuple[str, str]] = Counter()
        self.trace: list[str] = []
        self.steps = self.decisions = self.faults = 0
        self.agenda: Agenda = deque()
        self.meanwhile: Agenda = deque()  # happens while a build runs, if that is still possible
        self.recover: Callable[[], bool] = lambda: False
        self.beat: Callable[[], None] = lambda: None
        self.is_calm = False
        self.ailment: Ailment | None = None
        self._background_skew_s = 0
        self._handle = handle
        self._numbers = 0
        self._pending: list[Message] = []
        self._late: list[Message] = []
        self._active: list[Handler] = []
        self._own = threading.local()
        self._turn = threading.Lock()
        self._turn.acquire()

    # calls from adapters

    @property
    def current(self) -> Handler | None:
        """The handler of this thread; None in the platform's own."""
        return getattr(self._own, "handler", None)

    def now(self) -> datetime:
        """Return the time of the current handler's machine."""
        return self.clock() + timedelta(seconds=self.current.skew_s if self.current else self._background_skew_s)

    def call(self, name: str, act: Callable[[], T]) -> T:
        """Call an adapter for a handler, unless it crashes or fails before or after that."""
        handler = self.current
        if handler is None:
            return act()
        self._pass(handler)
        if self.ailment is not None and self.ailment.strikes(name):
            raise self.ailment.failure(name)
        what, takes_effect, error = self._happening(handler, name)
        if error is None:
            return act()
        self._note(handler, f"{what} {name}")
        handler.is_dead = isinstance(error, Crashed)
        if takes_effect:
            act()
        raise error

    def statement(self, name: str) -> None:
        """Pass a statement of a transaction, at which only a crash can happen."""
        handler = self.current
        if handler is None:
            return
        self.crossed[name, "passed"] += 1
        if self.ailment is not None and self.ailment.strikes(name):
            raise self.ailment.failure(name)
        if self._draw(name, 2, self._fault_share(handler) / 4):
            self.faults += 1
            self.crossed[name, "crash before"] += 1
            self._note(handler, f"crash before {name}")
            handler.is_dead = True
        if handler.is_dead:
            raise Crashed

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and let live holders renew their leases."""
        self.clock.advance(seconds)
        self.beat()

    def more_executions(self) -> int:
        """Decide how many more executions of the job a call starts besides one."""
        return self._draw("more executions", 3, 0.3 if self.nature.is_crowded else 0.0)

    def give_way(self) -> None:
        """Let other handlers run, as during a wait."""
        if self.current is not None:
            if not self.is_calm:
                self._give_way(self.current)
            if self.current.is_dead:
                raise Crashed

    @contextmanager
    def outside(self, handler: Handler | None) -> Iterator[None]:
        """Act as a background thread of another handler, without faults."""
        mine, self._own.handler = self.current, None
        skew_s, self._background_skew_s = self._background_skew_s, handler.skew_s if handler else 0
        try:
            yield
        finally:
            self._own.handler, self._background_skew_s = mine, skew_s

    def trouble(self, name: str, options: int) -> int:
        """Decide the fault of the source (0: it answers)."""
        return self._draw(name, options, self.nature.source_share)

    def build_trouble(self, name: str, options: int) -> int:
        """Decide the fault of dbt (0: it builds)."""
        return self._draw(name, options, 0.1 if self.nature.is_build_faulty else 0.0)

    def _pass(self, handler: Handler) -> None:
        if handler.is_dead:
            raise Crashed
        self.steps += 1
        self.clock.advance(_TICK_S)
        is_crowded = self.nature.is_crowded and handler.message.function == "build"
        if self._draw("a pause", 2, 0.04 if is_crowded else self.nature.pause_share):
            self._note(handler, f"stops for {_PAUSE_S:.0f} s")
            handler.is_paused = handler.has_paused = True
            self.pass_time(_PAUSE_S)
            self._give_way(handler)
            handler.is_paused = False
        elif self._draw("a switch", 2, 0.5 if is_crowded else self.nature.switch_share):
            self._give_way(handler)
        if handler.is_dead:
            raise Crashed

    def _happening(self, handler: Handler, name: str) -> tuple[str, bool, BaseException | None]:
        self.crossed[name, "passed"] += 1
        possible = outcomes(name)
        share = self._fault_share(handler) / (
            6 if name == "lake.read" else 1
        )  # half of all calls, and the least eventful
        choice = self._draw(name, len(possible) + 1, share)
        if choice == 0:
            return "", True, None
        what, takes_effect, error = possible[choice - 1]
        self.faults += 1
        self.crossed[name, what] += 1
        return what, takes_effect, error()

    def _fault_share(self, handler: Handler) -> float:
        is_spared = handler.message.function == "build" and not self.nature.is_build_faulty
        return 0.0 if is_spared or self.faults >= _MOST_FAULTS else self.nature.fault_share

    def _draw(self, name: str, options: int, share: float) -> int:
        return 0 if self.is_calm else self.choices.draw(name, options, share)

    def _give_way(self, handler: Handler) -> None:
        handler.slow_until = self.decisions + _SLOW[self._draw("a slow one", len(_SLOW), 0.3)]
        self._turn.release()
        handler.go.acquire()

    # the platform

    def send(self, function: str, subject: object, may_be_lost: bool = True) -> None:
        """Take a message to deliver at least once; or never, as a dead letter without a reader."""
        self._numbers += 1
        message = Message(self._numbers, function, subject)
        if may_be_lost and self._draw("lost", 2, self.nature.lost_share):
            self._note(self.current, f"lost: {function} {_short(subject)}")
        elif self._draw("late", 2, self.nature.late_share):
            self._late.append(message)
        else:
            self._pending.append(message)

    def run(self) -> None:
        """Deliver until nothing is left."""
        try:
            while self._step():
                if self.steps > _MOST_STEPS:
                    raise Violation("ends", f"after {self.steps} steps there still is something to do")
        finally:
            self._stop()

    def _step(self) -> bool:
        if self.agenda and self._draw("what is next on the agenda", 2, self.nature.agenda_share):
            self.begin_next(self.agenda)
            return True
        if self.meanwhile and self._is_building and self._draw("in the middle of a build", 2, 0.2):
            self.begin_next(self.meanwhile)
            return True
        self.decisions += 1
        can_deliver = bool(self._pending) and len(self._active) < self.nature.handlers
        ready = [handler for handler in self._active if handler.slow_until <= self.decisions]
        if not ready and not can_deliver:
            ready = self._active
        turns = len(ready) + can_deliver
        if turns == 0:
            return self._go_on()
        turn = 0 if self.is_calm else self.choices.draw("turn", turns)
        if turn < len(ready):
            self._resume(ready[turn])
        else:
            place = 0 if self.is_calm else self.choices.draw("message", len(self._pending))
            self._deliver(self._pending.pop(place))
        return True

    def _go_on(self) -> bool:
        """With no message to deliver: late messages, then the next step of the agenda, then lost messages."""
        if self._late and (not self.agenda or self._draw("late before the agenda", 2, 0.5)):
            self._pending, self._late = self._late, []
        elif self.agenda or self.meanwhile:
            self.begin_next(self.agenda or self.meanwhile)
        else:
            return self.recover()
        return True

    @property
    def _is_building(self) -> bool:
        return any(handler.message.function == "build" for handler in self._active)

    def begin_next(self, agenda: Agenda) -> None:
        """Run the next step of an agenda."""
        name, act = agenda.popleft()
        self._note(self.current, f"agenda: {name}")
        act()

    def _deliver(self, message: Message) -> None:
        is_once = message.function in ("build", "sweep")  # started by a call, not by a message
        if not is_once and message.copy < _MOST_COPIES and self._draw("delivered again", 2, self.nature.again_share):
            self._numbers += 1
            self._pending.append(replace(message, number=self._numbers, copy=message.copy + 1))
        skew_s = _SKEWS_S[self._draw("skew", len(_SKEWS_S), self.nature.skew_share)]
        handler = Handler(message, skew_s)
        self._note(handler, f"begins, {skew_s:+} s" if skew_s else "begins")
        handler.go.acquire()
        self._active.append(handler)
        threading.Thread(target=self._work, args=(handler,), daemon=True).start()
        self._resume(handler)

    def _work(self, handler: Handler) -> None:
        handler.go.acquire()
        self._own.handler = handler
        try:
            if not handler.is_dead:
                self._handle(handler.message)
        except BaseException as error:  # noqa: BLE001 judged by `_resume`
            handler.raised = error
        handler.is_done = True
        self._turn.release()

    def _resume(self, handler: Handler) -> None:
        now = self.clock()
        if handler.stepped_at is not None and (now - handler.stepped_at).total_seconds() >= _STARVED_S:
            handler.has_paused = True
        handler.stepped_at = now
        handler.go.release()
        if not self._turn.acquire(timeout=_STUCK_S):
            raise Violation("ends", f"{handler.message.function} waits for a lock that a suspended handler holds")
        if not handler.is_done:
            return
        self._active.remove(handler)
        if handler.raised is None:
            self._note(handler, "acknowledged")
            return
        self._note(handler, f"to be delivered again: {handler.raised!r:.200}")
        if isinstance(handler.raised, Violation):
            raise handler.raised
        if not isinstance(handler.raised, Crashed | MillraceError | OSError):
            raise Violation("known errors", f"{handler.message.function}: {handler.raised!r}") from handler.raised
        message = replace(handler.message, attempt=handler.message.attempt + 1)
        if message.attempt > _MOST_ATTEMPTS:
            raise Violation("ends", f"{message.function} {message.subject} never succeeds: {handler.raised!r}")
        self._pending.append(message)

    def _stop(self) -> None:
        """End all threads, whatever happened."""
        for handler in self._active:
            handler.is_dead = True
            while not handler.is_done:
                handler.go.release()
                if not self._turn.acquire(timeout=_STUCK_S):
                    break
        self._active.clear()

    def _note(self, handler: Handler | None, what: str) -> None:
        who = "" if handler is None else f"{handler.message.number} {handler.message.function} "
        subject = "" if handler is None else f"{_short(handler.message.subject)} "
        self.trace.append(f"{self.clock():%H:%M:%S.%f} {who}{subject}{what}")

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Inject no faults, and deliver one message after the other."""
        self.is_calm, handlers, self.nature.handlers = True, self.nature.handlers, 1
        try:
            yield
        finally:
            self.is_calm, self.nature.handlers = False, handlers


def _short(subject: object) -> str:
    version = getattr(subject, "version", None)
    if version is not None:
        return str(version.name)
    return " ".join(str(getattr(subject, name)) for name in ("run_id", "table") if hasattr(subject, name))

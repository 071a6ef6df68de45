"""Takes messages from the outbox to their channels: durable, in order, tried again with growing pauses, given up visibly.

A try is counted before it is made, so a crash between sending and noting sends again under the same key: at least once,
never silently not at all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from console.alerts.channels import Channels, NotDeliverable, NotDelivered
from console.alerts.messages import of_plain
from trace_model.store.alert_ledger import AlertLedger, Delivery

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
GIVE_UP_AFTER = timedelta(hours=24)
AT_ONCE = 8
log = logging.getLogger("cashtrail.alerts")


def pause_s(attempt_count: int) -> float:
    """Seconds until the next try after so many have failed.

    >>> [pause_s(n) for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 900.0]
    """
    return min(FIRST_PAUSE_S * 2.0 ** min(attempt_count - 1, 20), LONGEST_PAUSE_S)


class Courier:
    """Delivers what is due. `clock` gives now as aware UTC."""

    def __init__(self, ledger: AlertLedger, channels: Channels, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._channels = channels
        self._clock = clock
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="alert-courier")

    def round(self) -> int:
        """Every message that was due has had one try; returns how many. A slow receiver holds up only its own channel."""
        by_channel: dict[str, list[Delivery]] = {}
        for delivery in self._ledger.due():
            by_channel.setdefault(delivery.channel, []).append(delivery)
        return sum(self._pool.map(self._take, by_channel.values()))

    def close(self) -> None:
        """No further try is made; one under way ends within its timeout."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _take(self, deliveries: list[Delivery]) -> int:
        """Tries in order, until one shows that the channel does not answer now: the rest keep their turn."""
        for tried, delivery in enumerate(deliveries, 1):
            if self._closing.is_set() or not self._try(delivery):
                return tried
        return len(deliveries)

    def _try(self, delivery: Delivery) -> bool:
        sender = self._channels.senders.get(delivery.channel)
        if sender is None:
            variable = self._channels.without_address.get(delivery.channel)
            why = f"set {variable} and send it again" if variable else "it is no longer in the catalogue"
            self._ledger.failed(delivery, f"channel '{delivery.channel}' has no address: {why}")
            return True
        attempt = delivery.attempt_count + 1
        if not self._ledger.begin(delivery, self._clock() + timedelta(seconds=pause_s(attempt))):
            return True
        try:
            answer = sender.send(of_plain(delivery.message), delivery.delivery_id)
        except NotDelivered as fault:
            self._put_off(delivery, attempt, str(fault), fault.retry_after_s)
            return False
        except NotDeliverable as fault:
            self._give_up(delivery, str(fault))
        except Exception as fault:  # noqa: BLE001
            # a fault of ours in one message must neither end the courier nor be tried for ever; no text, it may hold an address
            self._give_up(delivery, f"the message could not be made: {type(fault).__name__}")
        else:
            self._ledger.delivered(delivery, answer)
        return True

    def _put_off(self, delivery: Delivery, attempt: int, why: str, asked_s: float) -> None:
        now = self._clock()
        if now - delivery.created_at >= GIVE_UP_AFTER:
            self._give_up(delivery, f"given up after {attempt} tries in {GIVE_UP_AFTER}: {why}")
            return
        self._ledger.postponed(delivery, now + timedelta(seconds=max(pause_s(attempt), asked_s)), why)

    def _give_up(self, delivery: Delivery, why: str) -> None:
        log.error("alert %s was not delivered to channel %s: %s", delivery.alert_id, delivery.channel, why)
        self._ledger.failed(delivery, why)

"""How a call may end without a result: it did not happen, or it may have.

Exactly one of them is raised, and together with a result they are all there is: what a history needs.
"""

from __future__ import annotations

from impl.queue.protocol.errors import Code


class DidNotHappen(Exception):
    """Nothing was changed by the call, nor ever will be. ``code`` is the broker's reason, if any."""

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.code = code


class MayHaveHappened(Exception):
    """The request was sent and its outcome is unknown: it may have taken effect, or may yet."""

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.code = code


class Refused(DidNotHappen):
    """A broker answered with ``code`` and changed nothing; asking again would end the same way."""


class Closed(DidNotHappen):
    """The client was closed."""


class CommitRefused(Refused):
    """The group went on without this member, so its offsets were not committed."""


class Fenced(Refused):
    """Another member has the same ``group_instance_id``; this one is out for good."""


class NoOffset(DidNotHappen):
    """There is no position to read from and no ``auto_offset_reset`` that says where to begin."""


class Truncated(DidNotHappen):
    """The log behind a position was replaced by another: records that were read are gone.

    ``position`` is where the consumer stood, ``diverged_at`` the first offset that differs.
    """

    def __init__(self, message: str, position: int, diverged_at: int) -> None:
        super().__init__(message)
        self.position = position
        self.diverged_at = diverged_at


OUTAGES = (DidNotHappen, MayHaveHappened)
"""What a call ends with when it has no result."""

_PASSING = frozenset(
    (
        Code.corrupt_message,
        Code.unknown_topic_or_partition,
        Code.leader_not_available,
        Code.not_leader_or_follower,
        Code.request_timed_out,
        Code.replica_not_available,
        Code.network_exception,
        Code.coordinator_load_in_progress,
        Code.coordinator_not_available,
        Code.not_coordinator,
        Code.not_enough_replicas,
        Code.not_enough_replicas_after_append,
        Code.not_controller,
        Code.kafka_storage_error,
        Code.fenced_leader_epoch,
        Code.unknown_leader_epoch,
        Code.offset_not_available,
        Code.preferred_leader_not_available,
        Code.unstable_offset_commit,
        Code.throttling_quota_exceeded,
        Code.unknown_topic_id,
    )
)
_MOVED = frozenset(
    (
        Code.unknown_topic_or_partition,
        Code.leader_not_available,
        Code.not_leader_or_follower,
        Code.replica_not_available,
        Code.kafka_storage_error,
        Code.fenced_leader_epoch,
        Code.unknown_leader_epoch,
        Code.unknown_topic_id,
    )
)
_CHECKED_BEFORE_APPENDING = frozenset(
    (
        Code.corrupt_message,
        Code.leader_not_available,
        Code.not_enough_replicas,
        Code.message_too_large,
        Code.record_list_too_large,
        Code.invalid_topic_exception,
        Code.invalid_required_acks,
        Code.invalid_timestamp,
        Code.invalid_record,
        Code.invalid_request,
        Code.invalid_producer_epoch,
        Code.invalid_txn_state,
        Code.out_of_order_sequence_number,
        Code.unknown_producer_id,
        Code.unsupported_for_message_format,
        Code.unsupported_compression_type,
        Code.unsupported_version,
        Code.policy_violation,
        Code.topic_authorization_failed,
        Code.cluster_authorization_failed,
        Code.throttling_quota_exceeded,
    )
)


def passes(code: Code) -> bool:
    """Whether the same request may succeed later, or elsewhere."""
    return code in _PASSING


def moved(code: Code) -> bool:
    """Whether the code says that what is known of the cluster is out of date."""
    return code in _MOVED


def not_appended(code: Code, acks: int) -> bool:
    """Whether a batch that was answered with ``code`` is certainly not in the log.

    A leader that loses its office while it waits for its followers says NOT_LEADER_OR_FOLLOWER (or that
    it doesn't know the partition) of a batch that it has appended and that may survive; with ``acks``
    other than all (-1) it doesn't wait, and says so only before.
    """
    if code in _CHECKED_BEFORE_APPENDING:
        return True
    return acks != -1 and code in (Code.not_leader_or_follower, Code.unknown_topic_or_partition)

"""What can go wrong between Python and a module."""


class TripwasmError(Exception):
    """Everything that this package raises of its own accord."""


class LoadError(TripwasmError):
    """The bytes are no module that can run here."""


class StateError(TripwasmError):
    """A snapshot was not taken or not restored; nothing was changed."""


class TrappedError(TripwasmError):
    """A call trapped: a defect of the module, or a limit.

    The instance is gone and a new one stands in its place: pass the batch on as it is.
    """

    def __init__(self, call: str, reason: str) -> None:
        """Of a function of the contract."""
        super().__init__(f"the module trapped in {call}: {reason}; what its windows gathered since the last checkpoint is lost")
        self.call = call
        """The function of the contract."""
        self.reason = reason
        """What happened."""


class ContractError(TripwasmError):
    """The module answered something that its contract does not know: it was built for another version."""

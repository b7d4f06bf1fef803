"""The gateway's stand-in: its HTTP interface on this machine, true to protocol.md, with faults to order."""

from .faults import Fault, Kind, fault_names
from .gateway import DEMO, SimulatedGateway
from .rules import Rules
from .subscribers import Habits, Route
from .values import Account, Call, Inbound, Page, Sent, Violation

__all__ = [
    "DEMO",
    "Account",
    "Call",
    "Fault",
    "Habits",
    "Inbound",
    "Kind",
    "Page",
    "Route",
    "Rules",
    "Sent",
    "SimulatedGateway",
    "Violation",
    "fault_names",
]

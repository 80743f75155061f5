"""Facts of Statistics: who went silent, who is back."""

from datetime import datetime
from typing import ClassVar

from softlanding.contracts.fact import Fact


class ServiceState(Fact):
    """A service as Statistics hears it."""

    service: str
    life: str | None
    last_heard_at: datetime | None
    at: datetime

    @property
    def subject(self) -> str:
        return f"service/{self.service}"


class ServiceSilent(ServiceState):
    TYPE: ClassVar[str] = "service.silent"


class ServiceBack(ServiceState):
    TYPE: ClassVar[str] = "service.back"


FACTS: tuple[type[Fact], ...] = (ServiceSilent, ServiceBack)

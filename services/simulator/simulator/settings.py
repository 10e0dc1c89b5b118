"""What the simulator reads from its environment."""

from typing import Literal

from pydantic import Field, SecretStr

from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_SIMULATOR_...`. System ids are one name or several between commas, all with the same password."""

    simulator_port: int = 8085
    simulator_smpp_host: str = "127.0.0.1"
    simulator_smpp_port: int = 2776
    simulator_system_id: str = "carillon"
    simulator_password: SecretStr = SecretStr("carillon")
    simulator_alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    simulator_window: int = Field(default=100, ge=1)
    simulator_receipt_delay_s: float = Field(default=0.3, ge=0)
    simulator_rules: bool = True
    simulator_tlvs: bool = True
    simulator_kept_messages: int = Field(default=200_000, ge=1)
    simulator_kept_callbacks: int = Field(default=20_000, ge=1)

    @property
    def system_ids(self) -> frozenset[str]:
        """Who may bind."""
        return frozenset(name.strip() for name in self.simulator_system_id.split(","))

"""The workbench's address and its access rule: beyond this machine, it needs a password."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from cpa_core.errors import SettingsError
from cpa_core.models import Value
from cpa_core.settings import Settings

LEAST_PASSWORD = 12


class Door(Value):
    """The address to bind, and the rules of entry.

    `address` is where people open it, null for the bound one; `password` lets in beside the token of a start;
    `reviewer_header` is the header in which a proxy names the reviewer, null where people name themselves.
    """

    host: str = "127.0.0.1"
    port: int = 0
    address: str | None = None
    password: str | None = None
    reviewer_header: str | None = None

    @property
    def is_https(self) -> bool:
        """Return whether people open it by https, so that cookies can be limited to https."""
        return (self.address or "").startswith("https:")

    def hosts(self, port: int) -> list[str]:
        """The values of the Host header that are answered, when `port` is bound."""
        own = [self.host] if self.host not in ("0.0.0.0", "::") else []
        names = dict.fromkeys([*own, *(("127.0.0.1", "localhost") if is_local(self.host) else ())])
        written = [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in names]
        return [*written, *([urlsplit(self.address).netloc] if self.address else [])]


def door_of(given: Settings, host: str, port: int) -> Door:
    """The door that the settings and the flags describe. Raises SettingsError where it would let in anybody."""
    address, password = given.workbench_url, given.workbench_password
    parts = urlsplit(address or "http://unnamed")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
        raise SettingsError("CPA_WORKBENCH_URL: an address such as https://workbench.example.com, without a path")
    if password is not None and len(password) < LEAST_PASSWORD:
        raise SettingsError(f"CPA_WORKBENCH_PASSWORD: {LEAST_PASSWORD} characters at least")
    if not is_local(host):
        lacking = [
            name for name, value in (("CPA_WORKBENCH_PASSWORD", password), ("CPA_WORKBENCH_URL", address)) if not value
        ]
        if lacking:
            raise SettingsError(f"--host {host} can be reached from other machines: set {' and '.join(lacking)} first")
    return Door(
        host=host,
        port=port,
        address=address,
        password=password,
        reviewer_header=given.workbench_reviewer_header,
    )


def is_local(host: str) -> bool:
    """Whether only this machine can reach an address that is bound so."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

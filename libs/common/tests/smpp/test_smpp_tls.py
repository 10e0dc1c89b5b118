import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from carillon.smpp import ShortMessage
from carillon.testing.smpp_owners import Smsc, answer_to

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=smsc.test", "-addext", "subjectAltName=DNS:smsc.test"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, "-keyout", str(key), "-out", str(cert), *subject]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


async def test_a_bind_over_tls_checks_the_operators_name(
    certificate: tuple[Path, Path], start: Callable[..., Awaitable[Smsc]]
) -> None:
    cert, key = certificate
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(cert, key)
    smsc = await start(ssl=serving)
    trusting = ssl.create_default_context(cafile=str(cert))

    bind = await smsc.client(ssl=trusting, server_hostname="smsc.test")
    assert (await answer_to(lambda done: bind.submit(ShortMessage(dest_addr="336"), done))).message_id == "id1"
    await bind.unbind_and_close()

    with pytest.raises(ssl.SSLCertVerificationError):
        await smsc.client(ssl=trusting)
    with pytest.raises(ssl.SSLCertVerificationError):
        await smsc.client(ssl=ssl.create_default_context(), server_hostname="smsc.test")
    with pytest.raises(OSError, match=r"closed|reset"):
        await smsc.client(response_timeout_s=2)

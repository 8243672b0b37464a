"""What docs/formats.md says of published trees, for tests in Python."""
import hashlib

PART = 65536


def digest(data):
    """The hash that names contents and files."""
    parts = [hashlib.blake2b(data[i:i + PART], digest_size=32).digest()
             for i in range(0, len(data) or 1, PART)]
    if len(parts) == 1:
        return parts[0].hex()
    text = b"".join(parts) + len(data).to_bytes(8, "little")
    return hashlib.blake2b(text, digest_size=32,
                           person=b"edeploy-64k").hexdigest()

"""Whether a client's signature is of a key that was accepted: RSA as adb uses it."""

import base64
import struct

# PKCS #1 v1.5 of SHA-1, of which adb takes the token to be the digest.
PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")


def key_of(blob):
    """Modulus and exponent of a public key as Android writes it: words, low ones first."""
    raw = base64.b64decode(blob.split(b"\0")[0].split()[0])
    words = struct.unpack("<I", raw[:4])[0]
    return int.from_bytes(raw[8 : 8 + words * 4], "little"), struct.unpack("<I", raw[-4:])[0]


def is_signed(token, signature, keys):
    """Whether one of the keys signed the token."""
    digest = PREFIX + token
    for modulus, exponent in keys:
        size = (modulus.bit_length() + 7) // 8
        if len(signature) == size:
            plain = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
            if plain == b"\0\1" + b"\xff" * (size - 3 - len(digest)) + b"\0" + digest:
                return True
    return False
